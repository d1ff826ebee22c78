"""Hand-written fakes for the pure tests."""

import threading

from app.checks.check import Check, CheckFailed
from app.net.clock import clock

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
