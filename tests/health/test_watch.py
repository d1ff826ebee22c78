"""All checkers as one: who waits, who does not, and what is shared."""

import threading
import unittest

from app.health.report import Identity
from app.health.timing import Timing
from app.health.watch import HealthWatch
from app.net.reason import Reason
from tests.fakes import DEADLINE, FakeCheck, dependency

IDENTITY = Identity("server", "1.0.0")
TIMING = Timing(interval=60, max_age=0.1, probe_wait=0.05, timeout=2)


class WatchTest(unittest.TestCase):
    def watch(self, timing=TIMING, fresh_waiters=2, start=True):
        self.mongodb, self.ai_service = FakeCheck("mongodb"), FakeCheck("ai_service")
        watched = [(dependency(check.name, timing=timing), check) for check in (self.mongodb, self.ai_service)]
        watch = HealthWatch(IDENTITY, watched, fresh_waiters, timing.max_age + timing.timeout)
        self.addCleanup(watch.stop)
        self.addCleanup(self.mongodb.release.set)
        self.addCleanup(self.ai_service.release.set)
        if start:
            watch.start()
            self.assertTrue(self.mongodb.wait_for_runs(1) and self.ai_service.wait_for_runs(1))
        return watch

    def test_before_the_first_check_every_dependency_is_pending_and_disconnected(self):
        report = self.watch(start=False).current()
        self.assertEqual([record.name for record in report.records], ["ai_service", "mongodb"])
        self.assertEqual({record.reason for record in report.records}, {Reason.PENDING})
        self.assertFalse(report.healthy)

    def test_a_lone_probe_gets_a_fresh_answer(self):
        watch = self.watch(Timing(interval=60, max_age=0.01, probe_wait=DEADLINE, timeout=DEADLINE))
        before = watch.current().records[1].history
        self.mongodb.failure = Reason.REFUSED
        for checker in watch._checkers:
            checker.want(checker._clock())
        self.assertTrue(self.mongodb.wait_for_runs(2))
        record = watch.probe().records[1]
        self.assertEqual(record.reason, Reason.REFUSED)
        self.assertGreater(len(record.history), len(before))

    def test_a_probe_is_not_held_by_a_dependency_that_hangs(self):
        watch = self.watch(Timing(interval=60, max_age=0.01, probe_wait=0.05, timeout=60))
        self.mongodb.release.clear()
        self.assertTrue(self.mongodb.wait_for_begun(1))
        for _ in range(3):
            watch.probe()
        self.assertLessEqual(self.mongodb.begun, 2)

    def test_while_a_report_is_fresh_asking_looks_at_no_checker(self):
        watch = self.watch(Timing(interval=60, max_age=30, probe_wait=0, timeout=5))
        report, waits = watch.ask()
        again, _ = watch.ask()
        self.assertIs(again, report)
        self.assertEqual(waits, [])

    def test_a_change_makes_the_fresh_report_void(self):
        told = threading.Event()
        watch = self.watch(Timing(interval=60, max_age=0.1, probe_wait=0, timeout=30))
        watch.listen(lambda step: told.set())
        report, _ = watch.ask()
        self.mongodb.failure = Reason.CLOSED
        self.assertTrue(self.mongodb.runs)
        for checker in watch._checkers:
            checker.want(checker._clock())
        self.assertTrue(told.wait(DEADLINE))
        self.assertTrue(self.mongodb.wait_for_runs(2))
        self.assertIsNot(watch.ask()[0], report)

    def test_no_cache_waits_for_checks_that_began_after_it_was_asked(self):
        watch = self.watch()
        begun = self.mongodb.begun
        report = watch.probe_fresh()
        self.assertEqual(self.mongodb.begun, begun + 1)
        self.assertEqual([len(record.history) for record in report.records], [2, 2])

    def test_many_no_cache_requests_share_one_check(self):
        watch = self.watch(fresh_waiters=20)
        begun = self.mongodb.begun
        threads = [threading.Thread(target=watch.probe_fresh) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        self.assertLessEqual(self.mongodb.begun - begun, 2)
        self.assertEqual(self.mongodb.most_at_once, 1)

    def test_a_no_cache_request_beyond_the_limit_is_answered_like_any_other(self):
        watch = self.watch(fresh_waiters=0)
        begun = self.mongodb.begun
        watch.probe_fresh()
        self.assertEqual(self.mongodb.begun, begun)

    def test_no_cache_is_answered_at_once_when_draining_begins(self):
        watch = self.watch(Timing(interval=60, max_age=0.1, probe_wait=0, timeout=60))
        self.mongodb.release.clear()
        answered = []
        waiter = threading.Thread(target=lambda: answered.append(watch.probe_fresh()))
        waiter.start()
        self.assertTrue(self.mongodb.wait_for_begun(2))
        watch.release()
        waiter.join(DEADLINE)
        self.assertEqual(len(answered), 1)

    def test_a_follower_causes_checks_although_no_probe_asks(self):
        watch = self.watch(Timing(interval=60, max_age=0.01, probe_wait=0, timeout=5))
        watch.follow(True)
        self.assertTrue(self.mongodb.wait_for_runs(5) and self.ai_service.wait_for_runs(5))
        watch.follow(False)

    def test_a_watch_starts_and_stops_every_thread(self):
        watch = self.watch()
        self.assertEqual(watch.ailing_threads(), [])
        watch.stop()
        names = {thread.name for thread in threading.enumerate()}
        self.assertFalse(names & {"checker-mongodb", "deadline-mongodb", "checker-ai_service"})
        self.assertEqual((self.mongodb.closes, self.ai_service.closes), (1, 1))


if __name__ == "__main__":
    unittest.main()
