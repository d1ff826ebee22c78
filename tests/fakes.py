"""Hand-written fakes for the pure tests."""

import logging
import threading

from app.checks.check import Check, CheckFailed, Outcome
from app.connections.connection import Connection, Direction, State
from app.health.dependency import Dependency
from app.health.record import Record
from app.net.clock import clock
from app.net.reason import Cause

TITLES = {"mongodb": "MongoDB", "ai_service": "AI service"}
DEADLINE = 5.0
"""Seconds that a test waits at most for something that should happen at once."""


class ScriptedClock:
    """A clock that stands still until it is advanced."""

    def __init__(self, now=0.0):
        self.now = now

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += seconds


def dependency(name="mongodb", **options):
    """A Dependency; `options` as there."""
    return Dependency(name, "mongodb" if name == "mongodb" else "http", **{"title": TITLES.get(name, name), **options})


def new_record(name="mongodb", since=0, **options):
    """The record of a dependency before any check; `options` are the dependency's."""
    return Record(dependency(name, **options), since)


def outcome(reason=None, latency_ms=1.0, detail="because"):
    """The Outcome of a check that failed for `reason`, or succeeded."""
    return Outcome(Cause(reason, detail) if reason else None, latency_ms / 1000)


class LogLines(logging.Handler):
    """Collects what a logger reports from INFO on, and keeps it from the terminal, during `test`."""

    def __init__(self, test, name):
        super().__init__(logging.INFO)
        self.lines = []
        logger = logging.getLogger(name)
        before = logger.level, logger.propagate
        logger.addHandler(self)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        test.addCleanup(self._restore, logger, *before)

    def emit(self, record):
        self.lines.append(f"{record.levelname} {record.getMessage()}")

    def _restore(self, logger, level, propagate):
        logger.removeHandler(self)
        logger.setLevel(level)
        logger.propagate = propagate


class FakeCheck(Check):
    """A check whose end is set by the test: `failure` is None, a Reason to fail with, or an exception to raise.

    With `release` cleared a run blocks until it is set; `during` is called in the middle of each. Counts what happens;
    the wait_ methods tell whether it happened in time.
    """

    def __init__(self, name="fake"):
        super().__init__(name)
        self.failure = None
        self.during = lambda: None
        self.release = threading.Event()
        self.release.set()
        self.begun = self.runs = self.aborts = self.closes = self.most_at_once = 0
        self.began = []
        self._changed = threading.Condition()

    def run(self, deadline):
        with self._changed:
            self.begun += 1
            self.began.append(clock())
            self.most_at_once = max(self.most_at_once, self.begun - self.runs)
            self._changed.notify_all()
        self.release.wait(60)
        self.during()
        with self._changed:
            self.runs += 1
            self._changed.notify_all()
        if isinstance(self.failure, BaseException):
            raise self.failure
        if self.failure is not None:
            raise CheckFailed(self.failure, "scripted")

    def abort(self):
        with self._changed:
            self.aborts += 1
            self._changed.notify_all()

    def close(self):
        with self._changed:
            self.closes += 1

    def wait_for_begun(self, count, timeout=DEADLINE):
        return self._wait(lambda: self.begun >= count, timeout)

    def wait_for_runs(self, count, timeout=DEADLINE):
        return self._wait(lambda: self.runs >= count, timeout)

    def wait_for_aborts(self, count, timeout=DEADLINE):
        return self._wait(lambda: self.aborts >= count, timeout)

    def _wait(self, condition, timeout):
        with self._changed:
            return self._changed.wait_for(condition, timeout)


class FakeConnection(Connection):
    """A connection whose sweep returns, or raises, what a test sets; counts what happens to it."""

    def __init__(self, connection_id, direction=Direction.OUTBOUND, swept=True):
        super().__init__(connection_id, State.CONNECTED)
        self.direction = direction
        self.swept = swept
        self.sweeps = 0
        self.closes = []
        self.finishes = []

    def sweep(self):
        self.sweeps += 1
        if isinstance(self.swept, Exception):
            raise self.swept
        return self.swept

    def close(self, code, words=""):
        self.closes.append(code)

    def finish(self, timeout):
        self.finishes.append(timeout)

    def enter(self, state):
        return self._enter(state)
