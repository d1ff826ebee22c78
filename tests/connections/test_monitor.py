import threading
import time
import unittest

from app.connections.connection import Direction, State
from app.connections.monitor import Monitor
from app.connections.registry import Registry
from tests.connections.fakes import DEADLINE, FakeConnection, FakePool, ScriptedClock

LOG = "app.connections.monitor"


class MonitorCase(unittest.TestCase):
    def setUp(self):
        self.clock = ScriptedClock()
        self.wall_clock = ScriptedClock(5000.0)
        self.registry = Registry(inbound_cap=0)
        self.pool = FakePool()
        self.monitor = Monitor(
            self.registry, interval=30.0, clock=self.clock, wall_clock=self.wall_clock, pool=self.pool
        )

    def add(self, name, *arguments, **options):
        connection = FakeConnection(name, *arguments, **options)
        self.registry.add(name, connection)
        return connection


class TestSweep(MonitorCase):
    def test_healthy_ones_are_left_alone(self):
        connection = self.add("a")
        self.monitor.sweep()
        self.assertEqual((connection.recoveries, self.pool.submitted), (0, []))

    def test_an_outbound_one_that_is_not_healthy_is_recovered_and_dialled_when_due(self):
        connection = self.add("a", healthy=False)
        connection.due_at = self.clock.now + 5
        self.monitor.sweep()
        self.assertEqual(connection.recoveries, 1)
        self.monitor.turn()
        self.assertEqual(self.pool.submitted, [])
        self.clock.advance(5)
        self.monitor.turn()
        self.assertEqual(self.pool.submitted, [connection])

    def test_an_inbound_one_found_dead_is_closed_and_removed(self):
        connection = self.add("a", Direction.INBOUND, healthy=False)
        self.monitor.sweep()
        self.assertEqual(connection.recoveries, 1)
        self.assertEqual(self.registry.snapshot(), {})

    def test_it_counts_and_tells_when_it_ended(self):
        self.assertEqual(self.monitor.facts(), {"last_sweep": None, "sweeps": 0})
        self.monitor.sweep()
        self.monitor.sweep()
        self.assertEqual(self.monitor.facts(), {"last_sweep": 5_000_000, "sweeps": 2})

    def test_observers_are_called_after_it_and_may_raise(self):
        def bad():
            raise RuntimeError("observer")

        seen = []
        self.monitor.subscribe(bad)
        self.monitor.subscribe(lambda: seen.append(self.monitor.sweeps))
        with self.assertLogs(LOG, "ERROR"):
            self.monitor.sweep()
        self.assertEqual(seen, [1])

    def test_a_connection_that_raises_is_logged_and_the_others_are_swept(self):
        self.add("a", healthy=RuntimeError("defect"))
        connection = self.add("b", healthy=False)
        with self.assertLogs(LOG, "ERROR") as logs:
            self.monitor.sweep()
        self.assertIn("connection a", logs.output[0])
        self.assertEqual(connection.recoveries, 1)

    def test_ten_thousand_healthy_ones_take_less_than_a_tenth_of_a_second(self):
        for number in range(10_000):
            self.add(f"c{number}")
        times = []
        for _ in range(3):
            begin = time.perf_counter()
            self.monitor.sweep()
            times.append(time.perf_counter() - begin)
        self.assertLess(min(times), 0.1)


class TestTurn(MonitorCase):
    def test_the_first_turn_sweeps_and_then_every_interval_does(self):
        pauses = []
        for advance in (0, 10, 20, 30):
            self.clock.advance(advance)
            pauses.append((self.monitor.turn(), self.monitor.sweeps))
        self.assertEqual(pauses, [(30, 1), (20, 1), (30, 2), (30, 3)])

    def test_it_wakes_for_the_connection_that_is_due_next(self):
        for name, due in (("a", 7), ("b", 3), ("c", 12)):
            self.add(name, due=self.clock.now + due)
        self.assertEqual(self.monitor.turn(), 3)
        self.clock.advance(8)
        self.assertEqual(self.monitor.turn(), 4)
        self.assertEqual([connection.id for connection in self.pool.submitted], ["b", "a"])

    def test_a_connection_added_or_lost_is_planned_at_once(self):
        connection = self.add("a", due=self.clock.now)
        self.monitor.turn()
        self.assertEqual(self.pool.submitted, [connection])
        self.monitor.attempt(connection)
        connection.due_at = self.clock.now + 1
        connection.enter(State.RECONNECTING)
        self.assertEqual(self.monitor.turn(), 1)

    def test_one_that_waits_for_the_pool_is_not_handed_over_twice(self):
        connection = self.add("a", healthy=False, due=self.clock.now)
        for _ in range(5):
            self.monitor.turn()
            self.monitor.sweep()
            self.clock.advance(30)
        self.assertEqual(self.pool.submitted, [connection])
        self.monitor.attempt(connection)
        self.assertEqual(connection.reconnects, 1)

    def test_after_an_attempt_the_next_is_planned(self):
        connection = self.add("a", due=self.clock.now)
        self.monitor.turn()

        def reconnect(cancelled):
            connection.due_at = self.clock.now + 4

        connection.reconnect = reconnect
        self.monitor.attempt(connection)
        self.assertEqual(self.monitor.turn(), 4)

    def test_one_that_was_removed_is_not_dialled_again(self):
        connection = self.add("a", due=self.clock.now + 1)
        self.monitor.turn()
        self.registry.remove("a")
        self.clock.advance(1)
        self.monitor.turn()
        for submitted in self.pool.submitted:
            self.monitor.attempt(submitted)
        self.assertEqual(connection.reconnects, 0)

    def test_a_sweep_that_raises_is_logged_and_the_loop_goes_on(self):
        def broken():
            raise RuntimeError("defect")

        self.registry.snapshot = broken
        turns = []

        def wait(seconds):
            turns.append(seconds)
            self.clock.advance(seconds)
            if len(turns) == 3:
                monitor.stop()

        monitor = Monitor(self.registry, clock=self.clock, wait=wait, pool=self.pool)
        with self.assertLogs(LOG, "ERROR") as logs:
            monitor.run()
        self.assertEqual(turns, [30, 30, 30])
        self.assertEqual(len(logs.records), 3)


class TestThread(MonitorCase):
    def test_it_is_overdue_when_it_was_never_started_has_ended_or_is_late(self):
        self.assertTrue(self.monitor.overdue())
        sleeping, wake = threading.Event(), threading.Event()

        def wait(seconds):
            sleeping.set()
            wake.wait(DEADLINE)
            raise SystemExit  # ends the thread without a word

        monitor = Monitor(self.registry, interval=30.0, clock=self.clock, wait=wait, pool=self.pool)
        monitor.start()
        self.assertTrue(sleeping.wait(DEADLINE))
        self.assertFalse(monitor.overdue())
        self.clock.advance(39.9)
        self.assertFalse(monitor.overdue())
        self.clock.advance(0.2)
        self.assertTrue(monitor.overdue())
        self.clock.advance(-30)
        wake.set()
        monitor._thread.join(DEADLINE)
        self.assertTrue(monitor.overdue())
        monitor.stop()
        self.assertFalse(monitor.overdue())

    def test_a_loss_wakes_it_out_of_its_sleep(self):
        monitor = Monitor(self.registry, interval=1000)
        monitor.start()
        self.addCleanup(monitor.stop)
        connection = self.add("a", due=time.monotonic())
        self.assertTrue(connection.reconnected.wait(DEADLINE))

    def test_start_and_stop_are_idempotent_and_leave_no_thread(self):
        monitor = Monitor(self.registry)
        monitor.start()
        first = monitor._thread
        monitor.start()
        self.assertIs(monitor._thread, first)
        self.add("a", due=time.monotonic()).reconnected.wait(DEADLINE)
        pool = [thread for thread in threading.enumerate() if thread.name.startswith("dial-")]
        self.assertEqual(len(pool), 1)
        monitor.stop()
        monitor.stop()
        self.assertFalse(any(thread.is_alive() for thread in [first, *pool]))

    def test_stopping_does_not_wait_for_a_backoff(self):
        monitor = Monitor(self.registry, interval=1000)
        self.add("a", due=time.monotonic() + 500)
        monitor.start()
        begin = time.monotonic()
        monitor.stop()
        self.assertLess(time.monotonic() - begin, 1)
        self.assertFalse(monitor._thread.is_alive())

    def test_a_thousand_lost_at_once_are_dialled_by_four_threads(self):
        guard, running, most = threading.Lock(), 0, 0
        done = threading.Semaphore(0)

        class Slow(FakeConnection):
            def reconnect(self, cancelled=lambda: False):
                nonlocal running, most
                self.due_at = None
                with guard:
                    running += 1
                    most = max(most, running)
                threading.Event().wait(0.0005)
                with guard:
                    running -= 1
                done.release()

        before = threading.active_count()
        monitor = Monitor(self.registry)
        for number in range(1000):
            connection = Slow(f"c{number}", due=time.monotonic())
            self.registry.add(connection.id, connection)
        monitor.start()
        self.addCleanup(monitor.stop)
        self.assertTrue(done.acquire(timeout=DEADLINE))
        self.assertLessEqual(threading.active_count(), before + 5)
        for _ in range(999):
            self.assertTrue(done.acquire(timeout=DEADLINE))
        self.assertLessEqual(most, 4)


if __name__ == "__main__":
    unittest.main()
