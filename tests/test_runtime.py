"""What is started and stopped, and in which order."""

import threading
import unittest

from app import __version__
from app.runtime import Runtime


class Part:
    """Stands for the watch, the registry, the monitor or an upstream: notes every call under its own name."""

    ailing = ()
    late = False

    def __init__(self, name, calls, during=lambda: None):
        self._name = name
        self._calls = calls
        self._during = during

    def ailing_threads(self):
        return list(self.ailing)

    def overdue(self):
        return self.late

    def facts(self):
        return {"of": self._name}

    @property
    def id(self):
        return self._name

    def __str__(self):
        return f"<{self._name}>"

    def __getattr__(self, method):
        def call(*arguments):
            self._calls.append(" ".join([self._name, method, *map(str, arguments)]))
            self._during()

        return call


START = ["watch start", "registry add a <a>", "a start", "registry add b <b>", "b start", "monitor start"]
DRAIN = ["watch release", "listener called"]
CLOSE = ["registry close_all 1001"]
STOP = ["monitor stop", "watch stop"]


class RuntimeTest(unittest.TestCase):
    def setUp(self):
        self.calls = []
        self.watch, self.registry, self.monitor = (Part(name, self.calls) for name in ("watch", "registry", "monitor"))
        upstreams = [Part(name, self.calls) for name in "ab"]
        self.runtime = Runtime(self.watch, self.registry, self.monitor, upstreams, lambda: 1795464000.5)
        self.runtime.on_drain(lambda: self.calls.append("listener called"))

    def test_nothing_runs_before_it_is_started(self):
        self.assertEqual(self.calls, [])
        self.runtime.start()
        self.assertEqual(self.calls, START)

    def test_leaving_is_draining_then_sockets_then_stop_in_reverse_order(self):
        self.runtime.start()
        self.assertFalse(self.runtime.draining)
        self.runtime.begin_drain()
        self.assertTrue(self.runtime.draining)
        self.runtime.close_sockets()
        with self.assertLogs("app.runtime", "INFO") as logged:
            self.runtime.stop()
        self.assertEqual([entry.getMessage() for entry in logged.records], ["stopped"])
        self.assertEqual(self.calls, START + DRAIN + CLOSE + CLOSE + STOP)

    def test_stopping_at_once_drains_and_closes_first(self):
        self.runtime.start()
        with self.assertLogs("app.runtime"):
            self.runtime.stop()
        self.assertEqual(self.calls, START + DRAIN + CLOSE + STOP)
        self.assertTrue(self.runtime.draining)

    def test_a_listener_to_draining_finds_it_draining(self):
        seen = []
        self.runtime.on_drain(lambda: seen.append(self.runtime.draining))
        self.runtime.begin_drain()
        self.assertEqual(seen, [True])

    def test_each_step_happens_once(self):
        for _ in range(2):
            self.runtime.start()
        for _ in range(2):
            self.runtime.begin_drain()
        with self.assertLogs("app.runtime") as logged:
            for _ in range(2):
                self.runtime.stop()
        self.runtime.start()
        self.assertEqual(self.calls, START + DRAIN + CLOSE + STOP)
        self.assertEqual(len(logged.records), 1)

    def test_a_runtime_that_was_never_started_is_not_stopped(self):
        self.runtime.stop()
        self.assertEqual(self.calls, [])

    def test_two_threads_that_stop_it_stop_it_once(self):
        inside, go = threading.Event(), threading.Event()

        def hold():
            inside.set()
            go.wait(5)

        self.watch._during = hold
        go.set()
        self.runtime.start()
        inside.clear()
        go.clear()
        with self.assertLogs("app.runtime"):
            first = threading.Thread(target=self.runtime.stop)
            first.start()
            self.assertTrue(inside.wait(5))
            self.runtime.stop()
            go.set()
            first.join(5)
        self.assertEqual(self.calls.count("watch stop"), 1)

    def test_ailing_threads_are_the_checkers_and_once_started_the_monitor(self):
        self.watch.ailing, self.monitor.late = ["checker-mongodb"], True
        self.assertEqual(self.runtime.ailing_threads(), ["checker-mongodb"])
        self.runtime.start()
        self.assertEqual(self.runtime.ailing_threads(), ["checker-mongodb", "monitor"])
        self.watch.ailing, self.monitor.late = [], False
        self.assertEqual(self.runtime.ailing_threads(), [])

    def test_facts_beside_the_checks(self):
        facts = {
            "connections": {"of": "registry"},
            "monitor": {"of": "monitor"},
            "draining": False,
            "started_at": 1795464000500,
            "software": {"name": "server-health", "version": __version__},
        }
        self.assertEqual(self.runtime.facts(), facts)
        self.assertEqual(list(self.runtime.facts()), list(facts))
        self.runtime.begin_drain()
        self.assertIs(self.runtime.facts()["draining"], True)
