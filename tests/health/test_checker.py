"""The checker's turns, its deadline, and its threads."""

import threading
import unittest
import unittest.mock

from app.health.checker import Checker
from app.health.checker_state import Wait
from app.health.timing import Timing
from app.net.reason import Reason
from tests.fakes import DEADLINE, FakeCheck, ScriptedClock, dependency

QUICK = Timing(interval=0.2, max_age=0.02, probe_wait=0.01, timeout=0.1)


class TurnTest(unittest.TestCase):
    """Single turns in the test's own thread, on a scripted clock."""

    def setUp(self):
        self.clock = ScriptedClock(100.0)
        self.check = FakeCheck("mongodb")
        self.steps = []
        self.checker = Checker(dependency(), self.check, self.steps.append, self.clock, wall=lambda: 5.0)

    def test_a_turn_runs_the_check_once_and_keeps_its_result(self):
        self.checker.turn()
        self.assertEqual(self.check.runs, 1)
        self.assertTrue(self.checker.view().record.connected)

    def test_the_listener_receives_every_step_in_order_from_the_deadline_thread(self):
        self.checker.turn()
        self.check.failure = Reason.REFUSED
        self.checker.turn()
        self.assertEqual(self.steps, [])
        self.assertTrue(self.checker.keep_time())
        self.assertEqual([step.after.reason for step in self.steps], [None, Reason.REFUSED])

    def test_a_failing_listener_is_logged_and_receives_the_next_step(self):
        def failing(step):
            self.steps.append(step)
            raise ValueError("no")

        checker = Checker(dependency(), self.check, failing, self.clock)
        checker.turn()
        checker.turn()
        with self.assertLogs("app.health.checker", "ERROR") as logs:
            checker.keep_time()
        self.assertEqual((len(self.steps), len(logs.records)), (2, 2))

    def test_a_reader_settles_a_check_past_its_deadline_itself(self):
        seen = []

        def look_late():
            self.clock.advance(5.0)
            seen.append(self.checker.view().record)

        self.check.during = look_late
        self.checker.turn()
        self.assertEqual([record.reason for record in seen], [Reason.TIMEOUT])

    def test_a_check_past_its_deadline_is_aborted_each_turn_while_it_lasts(self):
        def overrun():
            self.checker.keep_time()
            self.clock.advance(5.0)
            self.checker.keep_time()
            self.checker.keep_time()

        self.check.during = overrun
        self.checker.turn()
        self.assertEqual(self.check.aborts, 2)
        self.checker.keep_time()
        self.assertEqual(self.check.aborts, 2)

    def test_a_checker_that_was_not_started_is_not_ailing(self):
        self.assertEqual(self.checker.ailing_threads(), [])

    def test_a_check_is_aborted_while_the_next_one_cannot_begin(self):
        """Otherwise the cut could hit the socket of the check that follows."""
        held = []

        def overrun():
            self.clock.advance(5.0)
            self.check.abort = lambda: held.append(self.checker._changed._is_owned())
            self.checker.keep_time()

        self.check.during = overrun
        self.checker.turn()
        self.assertEqual(held, [True])

    def test_threads_that_cannot_be_started_leave_a_checker_that_can_still_be_stopped(self):
        with unittest.mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")):
            with self.assertRaises(RuntimeError):
                self.checker.start()
        self.checker.stop()
        self.checker.join(DEADLINE)


class ThreadTest(unittest.TestCase):
    """Real threads and short times."""

    def checker(self, timing=QUICK, **options):
        self.check = FakeCheck("mongodb")
        self.addCleanup(self.check.release.set)
        checker = Checker(dependency(timing=timing), self.check, **options)
        self.addCleanup(checker.join, DEADLINE)
        self.addCleanup(self.check.release.set)
        self.addCleanup(checker.stop)
        return checker

    def test_the_first_check_is_made_at_once_and_the_next_after_the_interval(self):
        checker = self.checker()
        checker.start()
        self.assertTrue(self.check.wait_for_runs(3))
        gaps = [later - sooner for sooner, later in zip(self.check.began, self.check.began[1:], strict=False)]
        self.assertGreaterEqual(min(gaps), QUICK.interval - 0.001)

    def test_both_threads_are_daemons_with_names(self):
        checker = self.checker()
        checker.start()
        mine = {t.name: t.daemon for t in threading.enumerate() if t.name.endswith("-mongodb")}
        self.assertEqual(mine, {"checker-mongodb": True, "deadline-mongodb": True})

    def test_any_number_of_readers_that_ask_get_one_check_per_maximum_age(self):
        checker = self.checker(Timing(interval=5, max_age=0.1, probe_wait=0, timeout=1))
        checker.start()
        while not self.check.wait_for_runs(4, timeout=0):
            checker.view(ask=True)
        gaps = [later - sooner for sooner, later in zip(self.check.began, self.check.began[1:], strict=False)]
        self.assertGreaterEqual(min(gaps), 0.1)
        self.assertEqual(self.check.most_at_once, 1)

    def test_a_hung_check_is_published_as_a_timeout_cut_off_and_followed_by_another(self):
        published = threading.Event()
        checker = self.checker(listener=lambda step: published.set())
        self.check.release.clear()
        checker.start()
        self.assertTrue(published.wait(DEADLINE))
        self.assertEqual(checker.view().record.reason, Reason.TIMEOUT)
        self.assertTrue(self.check.wait_for_aborts(2))
        self.check.release.set()
        self.assertTrue(self.check.wait_for_runs(2))
        self.assertEqual(self.check.most_at_once, 1)

    def test_a_waiter_gets_the_result_it_waits_for(self):
        checker = self.checker(Timing(interval=50, max_age=0.01, probe_wait=0, timeout=5))
        checker.start()
        self.assertTrue(self.check.wait_for_runs(1))
        now = checker._clock()
        checker.want(now)
        checker.wait_for(Wait(now, now + DEADLINE))
        self.assertGreaterEqual(self.check.began[-1], now)
        self.assertEqual(len(checker.view().record.history), 2)

    def test_a_waiter_gives_up_when_it_is_woken_to_do_so(self):
        checker = self.checker()
        given_up = threading.Event()
        now = checker._clock()
        waiter = threading.Thread(target=checker.wait_for, args=(Wait(now, now + 60), given_up.is_set))
        waiter.start()
        given_up.set()
        checker.wake_waiters()
        waiter.join(DEADLINE)
        self.assertFalse(waiter.is_alive())

    def test_stopping_waits_neither_for_the_interval_nor_for_a_hung_check(self):
        checker = self.checker(Timing(interval=3600, max_age=1, probe_wait=0, timeout=60))
        self.check.release.clear()
        checker.start()
        self.assertTrue(self.check.wait_for_begun(1))
        checker.stop()
        checker.join(0.05)
        self.assertEqual(self.check.closes, 0)
        self.assertEqual(self.check.aborts, 1)
        self.check.release.set()
        checker.join(DEADLINE)
        self.assertEqual(self.check.closes, 1)

    def test_a_thread_that_has_ended_is_ailing(self):
        checker = self.checker()
        self.check.failure = SystemExit()
        checker.start()
        checker._checker.join(DEADLINE)
        self.assertEqual(checker.ailing_threads(), ["checker-mongodb"])

    def test_a_thread_late_for_its_turn_or_too_long_in_one_check_is_ailing(self):
        clock = ScriptedClock(100.0)
        checker = self.checker(Timing(), clock=clock, awake=clock)
        self.check.release.clear()
        checker.start()
        self.assertTrue(self.check.wait_for_begun(1))
        clock.advance(119)
        self.assertEqual(checker.ailing_threads(), [])
        clock.advance(2)
        self.assertEqual(checker.ailing_threads(), ["checker-mongodb"])
        self.check.release.set()
        self.assertTrue(self.check.wait_for_begun(2))

    def test_a_thread_that_slept_with_the_machine_is_not_late_and_checks_at_once(self):
        clock, awake = ScriptedClock(100.0), ScriptedClock(20.0)
        checker = self.checker(Timing(interval=86400), clock=clock, awake=awake)
        checker.start()
        self.assertTrue(self.check.wait_for_runs(1))
        clock.advance(2 * 86400)
        self.assertEqual(checker.ailing_threads(), [])
        self.assertTrue(self.check.wait_for_runs(2))

    def test_a_thread_that_does_not_go_on_when_the_machine_has_been_woken_is_ailing(self):
        clock, awake = ScriptedClock(100.0), ScriptedClock(20.0)
        checker = self.checker(Timing(), clock=clock, awake=awake)
        self.check.release.clear()
        checker.start()
        self.assertTrue(self.check.wait_for_begun(1))
        clock.advance(3600)
        self.assertEqual(checker.ailing_threads(), [])
        for each in clock, awake:
            each.advance(10.1)
        self.assertEqual(checker.ailing_threads(), ["checker-mongodb"])


if __name__ == "__main__":
    unittest.main()
