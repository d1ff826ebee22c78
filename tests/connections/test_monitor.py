"""The thread that sweeps the registry."""

import threading
import unittest
from unittest import mock

from app.connections.connection import Direction
from app.connections.monitor import Monitor
from app.connections.registry import Registry
from tests.fakes import DEADLINE, FakeConnection, ScriptedClock

LOG = "app.connections.monitor"


class MonitorCase(unittest.TestCase):
    def setUp(self):
        self.clock = ScriptedClock(100.0)
        self.registry = Registry(inbound_cap=0)
        self.monitor = self.create()

    def create(self, **options):
        return Monitor(self.registry, 30.0, self.clock, ScriptedClock(5000.0), **options)

    def add(self, name, **options):
        connection = FakeConnection(name, **options)
        self.registry.add(name, connection)
        return connection


class SweepTest(MonitorCase):
    def test_every_connection_is_swept_and_those_that_are_over_are_removed(self):
        connections = [self.add("a"), self.add("b", direction=Direction.INBOUND, swept=False)]
        self.monitor.sweep()
        self.assertEqual([connection.sweeps for connection in connections], [1, 1])
        self.assertEqual(list(self.registry.snapshot()), ["a"])

    def test_sweeps_are_counted_and_the_last_one_is_dated(self):
        self.assertEqual(self.monitor.facts(), {"last_sweep": None, "sweeps": 0})
        self.monitor.sweep()
        self.monitor.sweep()
        self.assertEqual(self.monitor.facts(), {"last_sweep": 5_000_000, "sweeps": 2})

    def test_listeners_are_called_after_it_and_may_raise(self):
        seen = []
        self.monitor.listen(mock.Mock(side_effect=RuntimeError("listener")))
        self.monitor.listen(lambda: seen.append(self.monitor.sweeps))
        with self.assertLogs(LOG, "ERROR"):
            self.monitor.sweep()
        self.assertEqual(seen, [1])

    def test_a_connection_that_raises_is_logged_and_the_others_are_swept(self):
        self.add("a", swept=RuntimeError("defect"))
        connection = self.add("b")
        with self.assertLogs(LOG, "ERROR") as logs:
            self.monitor.sweep()
        self.assertIn("connection a", logs.output[0])
        self.assertEqual(connection.sweeps, 1)


class ThreadTest(MonitorCase):
    def test_it_sweeps_at_once_and_then_every_interval_whatever_a_sweep_raises(self):
        waits = []

        def wait(seconds):
            waits.append((seconds, snapshots.call_count))
            if len(waits) == 3:
                monitor.stop()

        monitor = self.create(wait=wait)
        snapshots = self.registry.snapshot = mock.Mock(side_effect=RuntimeError("defect"))
        with self.assertLogs(LOG, "ERROR") as logs:
            monitor.run()
        self.assertEqual(waits, [(30, 1), (30, 2), (30, 3)])
        self.assertEqual(len(logs.records), 3)

    def test_it_is_overdue_when_it_was_never_started_is_late_or_has_ended_but_not_once_stopped(self):
        sleeping, wake = threading.Event(), threading.Event()

        def wait(seconds):
            sleeping.set()
            wake.wait(DEADLINE)
            raise SystemExit  # ends the thread without a word

        monitor = self.create(wait=wait)
        self.assertTrue(monitor.overdue())
        monitor.start()
        self.assertTrue(sleeping.wait(DEADLINE))
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

    def test_start_and_stop_are_idempotent_and_leave_no_thread(self):
        for _ in range(2):
            self.monitor.start()
        threads = [thread for thread in threading.enumerate() if thread.name == "monitor"]
        self.assertEqual(len(threads), 1)
        for _ in range(2):
            self.monitor.stop()
        self.assertFalse(threads[0].is_alive())

    def test_a_start_for_which_there_is_no_thread_can_be_repeated(self):
        with mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")):
            with self.assertRaises(RuntimeError):
                self.monitor.start()
        self.assertTrue(self.monitor.overdue())
        self.monitor.start()
        self.assertFalse(self.monitor.overdue())
        self.monitor.stop()
