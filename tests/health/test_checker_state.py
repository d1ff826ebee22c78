"""What a checker holds and when it acts, moment by moment, without threads."""

import unittest

from app.health.checker_state import CheckerState, Wait
from app.health.timing import Timing
from app.net.reason import Reason
from tests.fakes import new_record, outcome

UP = outcome()
REFUSED = outcome(Reason.REFUSED)


class CheckerStateTest(unittest.TestCase):
    def setUp(self):
        self.state = CheckerState(new_record(timing=Timing()))

    def check(self, began, outcome=UP, ended=None):
        self.state.begin(began, int(began * 1000))
        ended = began + 0.01 if ended is None else ended
        self.state.end(outcome, ended, int(ended * 1000))

    def test_a_fresh_result_orders_nothing(self):
        self.check(100)
        view = self.state.view(100.9, ask=True)
        self.assertTrue(view.record.connected)
        self.assertEqual((view.fresh_until, view.wait), (101, None))
        self.assertEqual(self.state.due(), 105)

    def test_an_older_result_orders_a_check_and_is_reported_without_waiting(self):
        self.check(100)
        self.assertIsNone(self.state.view(101.2, ask=True).wait)
        self.assertEqual(self.state.due(), 101.2)

    def test_a_probe_waits_for_the_successor_of_a_result_that_is_too_old(self):
        self.check(100)
        self.assertEqual(self.state.view(103, ask=True).wait, Wait(103, 103.25))

    def test_a_reader_that_does_not_ask_orders_and_waits_for_nothing(self):
        self.check(100)
        self.assertIsNone(self.state.view(103, ask=False).wait)
        self.assertEqual(self.state.due(), 105)

    def test_a_check_under_way_is_not_ordered_again(self):
        self.check(100)
        self.state.begin(103, 103_000)
        self.assertEqual(self.state.view(103.1, ask=True).wait, Wait(103, 103.25))
        self.state.end(UP, 104.5, 104_500)
        self.assertEqual(self.state.due(), 108)

    def test_at_its_deadline_a_check_is_a_timeout_for_every_reader(self):
        self.check(100)
        self.state.begin(103, 103_000)
        self.state.settle(107.999, 107_999)
        self.assertTrue(self.state.record.connected)
        self.state.settle(108, 108_000)
        self.assertEqual(self.state.record.reason, Reason.TIMEOUT)
        self.assertEqual(self.state.record.latency_ms, 5000)

    def test_a_report_that_a_deadline_may_change_is_not_fresh_beyond_it(self):
        state = CheckerState(new_record(timing=Timing(timeout=0.5)))
        state.begin(100, 0)
        state.end(UP, 100.01, 0)
        state.begin(100.3, 0)
        self.assertEqual(state.view(100.4, ask=True).fresh_until, 100.8)

    def test_a_timeout_counts_once_and_the_late_result_of_the_check_is_dropped(self):
        self.state.begin(100, 100_000)
        for now in (105, 106, 107):
            self.state.settle(now, int(now * 1000))
        self.state.end(UP, 107.5, 107_500)
        self.assertEqual([entry.status for entry in self.state.record.history], ["disconnected"])
        self.assertEqual(self.state.record.consecutive_failures, 1)
        self.assertEqual(len(self.state.unpublished), 1)

    def test_when_an_overdue_check_comes_back_a_new_one_begins_at_once(self):
        self.state.begin(100, 100_000)
        self.state.end(UP, 107.5, 107_500)
        self.assertEqual(self.state.due(), 107.5)

    def test_a_check_never_begins_sooner_than_max_age_after_the_last(self):
        state = CheckerState(new_record(timing=Timing(timeout=0.1)))
        state.begin(100, 0)
        state.end(UP, 100.2, 0)
        self.assertEqual(state.due(), 101)

    def test_a_check_that_ends_at_its_deadline_is_too_late(self):
        self.check(100, UP, ended=105)
        self.assertEqual(self.state.record.reason, Reason.TIMEOUT)

    def test_a_check_that_hangs_stays_a_timeout_and_holds_up_no_probe(self):
        self.state.begin(100, 100_000)
        self.state.settle(150, 150_000)
        self.assertEqual(self.state.record.reason, Reason.TIMEOUT)
        self.assertIsNone(self.state.view(150, ask=True).wait)

    def test_a_result_that_was_not_renewed_is_stale(self):
        self.check(100)
        self.state.settle(111, 111_000)
        self.assertTrue(self.state.record.connected)
        self.state.settle(111.1, 111_100)
        self.assertEqual(self.state.record.reason, Reason.STALE)
        self.assertIsNone(self.state.unpublished[-1].outcome)

    def test_a_dependency_that_was_never_checked_stays_pending(self):
        self.state.settle(1_000, 1_000_000)
        self.assertEqual(self.state.record.reason, Reason.PENDING)

    def test_the_next_moment_at_which_time_alone_changes_the_record(self):
        self.assertEqual(self.state.settles_at(), float("inf"))
        self.state.begin(100, 100_000)
        self.assertEqual(self.state.settles_at(), 105)
        self.state.end(UP, 100.1, 100_100)
        self.assertEqual(self.state.settles_at(), 111)
        self.state.settle(112, 112_000)
        self.assertEqual(self.state.settles_at(), float("inf"))

    def test_a_follower_has_a_check_made_every_max_age(self):
        self.check(100)
        self.state.followers = 1
        self.assertEqual(self.state.due(), 101)

    def test_while_the_last_result_contradicts_the_status_a_check_is_due_every_max_age(self):
        self.state = CheckerState(new_record(failures=3))
        self.check(100)
        self.assertEqual(self.state.due(), 105)
        self.check(105, REFUSED)
        self.assertEqual((self.state.record.status, self.state.due()), ("connected", 106))
        self.check(106, REFUSED)
        self.check(107, REFUSED)
        self.assertEqual((self.state.record.status, self.state.due()), ("disconnected", 112))

    def test_a_check_that_hangs_behind_a_threshold_is_stale_in_the_end(self):
        self.state = CheckerState(new_record(failures=3))
        self.check(100)
        self.state.begin(105, 105_000)
        self.state.settle(110, 110_000)
        self.assertTrue(self.state.record.connected)
        self.assertEqual(self.state.settles_at(), 116)
        self.state.settle(116.1, 116_100)
        self.assertEqual(self.state.record.reason, Reason.STALE)

    def test_a_timeout_names_the_time_that_was_given(self):
        self.state = CheckerState(new_record(timing=Timing(timeout=2.5)))
        self.check(100, outcome(Reason.TIMEOUT, detail="no answer in time"))
        self.assertEqual(self.state.record.detail, "no answer within 2.5 s")


if __name__ == "__main__":
    unittest.main()
