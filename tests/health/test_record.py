"""The steps of app.health.record."""

import unittest

from app.health.record import CHANGES, HISTORY
from app.net.reason import Reason
from tests.fakes import new_record, outcome


class RecordTest(unittest.TestCase):
    def setUp(self):
        self.new = new_record("mongodb", 1000)

    def test_nothing_is_connected_before_a_check_has_ended(self):
        self.assertEqual((self.new.status, self.new.reason), ("disconnected", Reason.PENDING))
        self.assertFalse(self.new.connected)
        self.assertIsNone(self.new.checked_at)

    def test_a_success_connects_and_is_remembered(self):
        record = self.new.after_check(2000, 2010, outcome(None, 10.0))
        self.assertEqual((record.status, record.reason), ("connected", None))
        self.assertEqual((record.since, record.checked_at, record.last_success), (2010, 2000, 2000))
        self.assertEqual([tuple(entry) for entry in record.history], [(2000, "connected", 10.0)])
        self.assertEqual([tuple(change) for change in record.changes], [(2010, "connected", None)])

    def test_a_failure_counts_up_and_keeps_the_last_success(self):
        record = self.new.after_check(2000, 2010, outcome(None, 10.0))
        for began in (3000, 4000):
            record = record.after_check(began, began + 5, outcome(Reason.REFUSED, 5.0))
        self.assertEqual((record.since, record.last_success), (3005, 2000))
        self.assertEqual(record.consecutive_failures, 2)
        self.assertEqual(record.after_check(5000, 5001, outcome(None, 1.0)).consecutive_failures, 0)

    def test_another_reason_is_a_change_but_the_status_began_where_it_began(self):
        record = self.new.after_check(2000, 2010, outcome(Reason.REFUSED, 1.0))
        record = record.after_check(3000, 3010, outcome(Reason.TIMEOUT, 1.0))
        self.assertEqual(record.since, 2010)
        self.assertEqual([change.reason for change in record.changes], ["refused", "timeout"])

    def test_the_same_again_changes_nothing_but_the_count(self):
        record = self.new.after_check(2000, 2010, outcome(Reason.REFUSED, 1.0))
        again = record.after_check(3000, 3010, outcome(Reason.REFUSED, 1.0))
        self.assertEqual((again.changes, again.since), (record.changes, record.since))

    def test_the_first_verdict_begins_a_state_also_when_it_is_no(self):
        self.assertEqual(self.new.after_check(2000, 2010, outcome(Reason.DNS, 1.0)).since, 2010)

    def test_a_stale_record_is_disconnected_and_no_check_is_counted(self):
        record = self.new.after_check(2000, 2010, outcome(None, 1.0)).gone_stale(9000)
        self.assertEqual((record.status, record.reason, record.since), ("disconnected", "stale", 9000))
        self.assertEqual((len(record.history), record.consecutive_failures), (1, 0))

    def test_another_detail_is_reported_and_not_a_change(self):
        record = self.new.after_check(2000, 2010, outcome(Reason.ERROR, 1.0, "starting up"))
        record = record.after_check(3000, 3010, outcome(Reason.ERROR, 1.0, "too many connections"))
        self.assertEqual((record.detail, len(record.changes)), ("too many connections", 1))

    def test_history_and_changes_are_bounded(self):
        record = self.new
        for number in range(200):
            record = record.after_check(number, number, outcome(Reason.DNS if number % 2 else None, 1.0))
        self.assertEqual((len(record.history), len(record.changes)), (HISTORY, CHANGES))
        self.assertEqual((record.history[-1].at, record.changes[-1].at), (199, 199))


class ThresholdTest(unittest.TestCase):
    """What is reported after a row of results, + for a success and - for a failure."""

    def reported(self, results, **thresholds):
        record, seen = new_record("mongodb", 0, **thresholds), ""
        for number, result in enumerate(results, 1):
            record = record.after_check(number, number, outcome(None if result == "+" else Reason.CLOSED))
            seen += "+" if record.connected else "-"
        return seen, record

    def test_failures_in_a_row_are_needed_to_be_reported_as_disconnected(self):
        for results, reported in [("+-+--+---+", "++++++++-+"), ("---", "---"), ("+--+", "++++")]:
            with self.subTest(results):
                self.assertEqual(self.reported(results, failures=3)[0], reported)

    def test_successes_in_a_row_are_needed_to_be_reported_as_connected_again(self):
        for results, reported in [("+-+-++", "+----+"), ("+", "+"), ("-++", "--+")]:
            with self.subTest(results):
                self.assertEqual(self.reported(results, successes=2)[0], reported)

    def test_a_record_in_doubt_shows_the_last_result_beside_the_reported_status(self):
        _, record = self.reported("+--", failures=3)
        self.assertEqual((record.status, record.last_result, record.in_doubt), ("connected", "disconnected", True))
        self.assertEqual((record.reason, record.detail, record.consecutive_failures), (None, None, 2))
        self.assertFalse(self.reported("+-", failures=1)[1].in_doubt)

    def test_a_stale_result_passes_every_threshold(self):
        _, record = self.reported("+", failures=10)
        self.assertEqual(record.gone_stale(99).reason, Reason.STALE)


if __name__ == "__main__":
    unittest.main()
