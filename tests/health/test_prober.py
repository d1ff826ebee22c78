"""The prober's turns, its deadline, and its threads."""

import threading
import unittest

from app.health.checks import Outcome, Reason
from app.health.probe_state import Wait
from app.health.prober import Prober
from app.health.timing import Timing
from tests.fakes import DEADLINE, FakeCheck, ScriptedClock

UP = Outcome(None, 0.01)
QUICK = Timing(interval=0.2, max_age=0.02, probe_wait=0.01, timeout=0.1)


class TurnTest(unittest.TestCase):
    """Single turns in the test's own thread, on a scripted clock."""

    def setUp(self):
        self.clock = ScriptedClock(100.0)
        self.check = FakeCheck("mongodb")
        self.told = []
        self.prober = Prober(self.check, Timing(), self.told.append, self.clock, wall=lambda: 5.0)

    def test_a_turn_runs_the_check_once_and_keeps_what_it_brought(self):
        self.prober.turn()
        self.assertEqual(self.check.runs, 1)
        self.assertTrue(self.prober.view().record.connected)

    def test_the_listener_is_told_in_order_by_the_deadlines_thread(self):
        self.prober.turn()
        self.check.outcome = Outcome(Reason.REFUSED, 0.01)
        self.prober.turn()
        self.assertEqual(self.told, [])
        self.assertTrue(self.prober.keep_time())
        self.assertEqual([step.after.reason for step in self.told], [None, Reason.REFUSED])

    def test_a_listener_that_fails_is_logged_and_the_next_step_told(self):
        def failing(told):
            self.told.append(told)
            raise ValueError("no")

        prober = Prober(self.check, Timing(), failing, self.clock)
        prober.turn()
        prober.turn()
        with self.assertLogs("app.health.prober", "ERROR") as logs:
            prober.keep_time()
        self.assertEqual((len(self.told), len(logs.records)), (2, 2))

    def test_a_reader_settles_a_check_past_its_deadline_itself(self):
        seen = []

        def look_late():
            self.clock.advance(5.0)
            seen.append(self.prober.view().record)

        self.check.during = look_late
        self.prober.turn()
        self.assertEqual([record.reason for record in seen], [Reason.TIMEOUT])

    def test_a_check_past_its_deadline_is_aborted_each_turn_while_it_lasts(self):
        def overrun():
            self.prober.keep_time()
            self.clock.advance(5.0)
            self.prober.keep_time()
            self.prober.keep_time()

        self.check.during = overrun
        self.prober.turn()
        self.assertEqual(self.check.aborts, 2)
        self.prober.keep_time()
        self.assertEqual(self.check.aborts, 2)

    def test_a_prober_not_started_is_not_ailing(self):
        self.assertEqual(self.prober.ailing_threads(), [])


class ThreadTest(unittest.TestCase):
    """The same with real threads and short times."""

    def prober(self, timing=QUICK, **options):
        self.check = FakeCheck("mongodb")
        self.addCleanup(self.check.release.set)
        prober = Prober(self.check, timing, **options)
        self.addCleanup(prober.join, DEADLINE)
        self.addCleanup(self.check.release.set)
        self.addCleanup(prober.stop)
        return prober

    def test_the_first_check_is_made_at_once_and_the_next_after_the_interval(self):
        prober = self.prober()
        prober.start()
        self.assertTrue(self.check.wait_for_runs(3))
        gaps = [later - sooner for sooner, later in zip(self.check.began, self.check.began[1:], strict=False)]
        self.assertGreaterEqual(min(gaps), QUICK.interval - 0.001)

    def test_both_threads_are_daemons_with_names(self):
        prober = self.prober()
        prober.start()
        mine = {t.name: t.daemon for t in threading.enumerate() if t.name.endswith("-mongodb")}
        self.assertEqual(mine, {"prober-mongodb": True, "deadline-mongodb": True})

    def test_many_who_ask_get_one_check_a_max_age(self):
        prober = self.prober(Timing(interval=5, max_age=0.1, probe_wait=0, timeout=1))
        prober.start()
        while not self.check.wait_for_runs(4, timeout=0):
            prober.view(ask=True)
        gaps = [later - sooner for sooner, later in zip(self.check.began, self.check.began[1:], strict=False)]
        self.assertGreaterEqual(min(gaps), 0.1)
        self.assertEqual(self.check.most_at_once, 1)

    def test_a_hung_check_is_told_as_a_timeout_cut_off_and_followed_by_another(self):
        told = threading.Event()
        prober = self.prober(listener=lambda step: told.set())
        self.check.release.clear()
        prober.start()
        self.assertTrue(told.wait(DEADLINE))
        self.assertEqual(prober.view().record.reason, Reason.TIMEOUT)
        self.assertTrue(self.check.wait_for_aborts(2))
        self.check.release.set()
        self.assertTrue(self.check.wait_for_runs(2))
        self.assertEqual(self.check.most_at_once, 1)

    def test_a_waiter_gets_the_result_it_waits_for(self):
        prober = self.prober(Timing(interval=50, max_age=0.01, probe_wait=0, timeout=5))
        prober.start()
        self.assertTrue(self.check.wait_for_runs(1))
        now = prober._clock()
        prober.want(now)
        prober.wait_for(Wait(now, now + DEADLINE))
        self.assertGreaterEqual(self.check.began[-1], now)
        self.assertEqual(len(prober.view().record.history), 2)

    def test_a_waiter_gives_up_when_told(self):
        prober = self.prober()
        given_up = threading.Event()
        now = prober._clock()
        waiter = threading.Thread(target=prober.wait_for, args=(Wait(now, now + 60), given_up.is_set))
        waiter.start()
        given_up.set()
        prober.wake_waiters()
        waiter.join(DEADLINE)
        self.assertFalse(waiter.is_alive())

    def test_stopping_waits_neither_for_the_interval_nor_for_a_hung_check(self):
        prober = self.prober(Timing(interval=3600, max_age=1, probe_wait=0, timeout=60))
        self.check.release.clear()
        prober.start()
        self.assertTrue(self.check.wait_for_begun(1))
        prober.stop()
        prober.join(0.05)
        self.assertEqual(self.check.closes, 0)
        self.assertEqual(self.check.aborts, 1)
        self.check.release.set()
        prober.join(DEADLINE)
        self.assertEqual(self.check.closes, 1)

    def test_a_thread_that_has_ended_is_ailing(self):
        prober = self.prober()
        self.check.outcome = SystemExit()
        prober.start()
        prober._prober.join(DEADLINE)
        self.assertEqual(prober.ailing_threads(), ["prober-mongodb"])

    def test_a_thread_late_for_its_turn_or_too_long_in_one_check_is_ailing(self):
        clock = ScriptedClock(100.0)
        prober = self.prober(Timing(), clock=clock)
        self.check.release.clear()
        prober.start()
        self.assertTrue(self.check.wait_for_begun(1))
        clock.advance(119)
        self.assertEqual(prober.ailing_threads(), [])
        clock.advance(2)
        self.assertEqual(prober.ailing_threads(), ["prober-mongodb"])
        self.check.release.set()
        self.assertTrue(self.check.wait_for_begun(2))


if __name__ == "__main__":
    unittest.main()
