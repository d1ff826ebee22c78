"""The steps of app.health.record."""

import unittest

from app.health.record import CHANGES, HISTORY, Record
from app.net.reason import Reason


class RecordTest(unittest.TestCase):
    def setUp(self):
        self.new = Record("mongodb", since=1000)

    def test_nothing_is_connected_before_a_check_has_ended(self):
        self.assertEqual((self.new.status, self.new.reason), ("disconnected", Reason.PENDING))
        self.assertFalse(self.new.connected)
        self.assertIsNone(self.new.checked_at)

    def test_a_success_connects_and_is_remembered(self):
        record = self.new.after_check(2000, 2010, None, 10.0)
        self.assertEqual((record.status, record.reason), ("connected", None))
        self.assertEqual((record.since, record.checked_at, record.last_success), (2010, 2000, 2000))
        self.assertEqual([tuple(entry) for entry in record.history], [(2000, "connected", 10.0)])
        self.assertEqual([tuple(change) for change in record.changes], [(2010, "connected", None)])

    def test_a_failure_counts_up_and_keeps_the_last_success(self):
        record = self.new.after_check(2000, 2010, None, 10.0)
        for began in (3000, 4000):
            record = record.after_check(began, began + 5, Reason.REFUSED, 5.0)
        self.assertEqual((record.since, record.last_success), (3005, 2000))
        self.assertEqual(record.consecutive_failures, 2)
        self.assertEqual(record.after_check(5000, 5001, None, 1.0).consecutive_failures, 0)

    def test_another_reason_is_a_change_but_the_status_began_where_it_began(self):
        record = self.new.after_check(2000, 2010, Reason.REFUSED, 1.0)
        record = record.after_check(3000, 3010, Reason.TIMEOUT, 1.0)
        self.assertEqual(record.since, 2010)
        self.assertEqual([change.reason for change in record.changes], ["refused", "timeout"])

    def test_the_same_again_changes_nothing_but_the_count(self):
        record = self.new.after_check(2000, 2010, Reason.REFUSED, 1.0)
        again = record.after_check(3000, 3010, Reason.REFUSED, 1.0)
        self.assertEqual((again.changes, again.since), (record.changes, record.since))

    def test_the_first_verdict_begins_a_state_also_when_it_is_no(self):
        self.assertEqual(self.new.after_check(2000, 2010, Reason.DNS, 1.0).since, 2010)

    def test_a_stale_record_is_disconnected_and_no_check_is_counted(self):
        record = self.new.after_check(2000, 2010, None, 1.0).gone_stale(9000)
        self.assertEqual((record.status, record.reason, record.since), ("disconnected", "stale", 9000))
        self.assertEqual((len(record.history), record.consecutive_failures), (1, 0))

    def test_history_and_changes_are_bounded(self):
        record = self.new
        for number in range(200):
            record = record.after_check(number, number, Reason.DNS if number % 2 else None, 1.0)
        self.assertEqual((len(record.history), len(record.changes)), (HISTORY, CHANGES))
        self.assertEqual((record.history[-1].at, record.changes[-1].at), (199, 199))
