"""All the checkers as one: what is known now, and the rule by which a request waits for a fresher result."""

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from operator import is_
from typing import NamedTuple

from app.checks.check import Check
from app.health.checker import Checker
from app.health.checker_state import Step, View, Wait
from app.health.dependency import Dependency
from app.health.report import Identity, Report
from app.health.timing import NEVER
from app.net.clock import clock as default_clock

Listener = Callable[[Step], None]
Waits = list[tuple[Checker, Wait]]
Waiting = Callable[[], AbstractContextManager[object]]
"""Entered around a wait: the thread of a request computes nothing meanwhile, and others may."""
JOIN_SECONDS = 0.5


class _Known(NamedTuple):
    """A report that needs no new check until `fresh_until`, unless the epoch has changed since.

    To keep it saves 12 µs of a probe (bin/bench).
    """

    epoch: object
    report: Report
    fresh_until: float


class HealthWatch:
    """The service's view of its dependencies; owns one checker for each check.

    `fresh_waiters`: how many requests may wait for a check of their own at the same time (0: none), each for
    `fresh_seconds` at most. `listeners` are called with every step of every record, each by the thread of its checker.
    """

    def __init__(
        self,
        identity: Identity,
        watched: Iterable[tuple[Dependency, Check]],
        fresh_waiters: int,
        fresh_seconds: float,
        listeners: Iterable[Listener] = (),
        clock: Callable[[], float] = default_clock,
    ) -> None:
        self._identity = identity
        self._fresh_seconds = fresh_seconds
        self._clock = clock
        self._listeners = list(listeners)
        self._checkers = [
            Checker(dependency, check, self._publish, clock)
            for dependency, check in sorted(watched, key=lambda pair: pair[0].name)
        ]
        self._fresh_waiters = threading.BoundedSemaphore(fresh_waiters) if fresh_waiters else None
        self._released = threading.Event()
        # Both are replaced whole, so reading them needs no lock. A new epoch makes _known void; a thread that computes
        # it reads the epoch first, so that a change meanwhile is not missed.
        self._epoch = object()
        nothing = Report(identity, tuple(checker.view().record for checker in self._checkers))
        self._known = _Known(object(), nothing, NEVER)

    @property
    def dependencies(self) -> list[str]:
        """Their names, in the order of a report."""
        return [checker.name for checker in self._checkers]

    def listen(self, listener: Listener) -> None:
        """Add a listener. One added after `start` receives only the steps from then on."""
        self._listeners.append(listener)

    def current(self) -> Report:
        """What is known now. Asks for nothing, waits for nothing."""
        return self._report([checker.view() for checker in self._checkers])

    def ask(self, now: float | None = None) -> tuple[Report, Waits]:
        """What is known now, and what a probe waits for before it answers; orders checks where they are needed.

        A caller that must not block adds a listener and calls `arrived` after each step. One that has just read the
        clock passes the moment as `now`.
        """
        known = self._known
        if known.epoch is self._epoch and (self._clock() if now is None else now) < known.fresh_until:
            return known.report, []
        epoch = self._epoch
        views = [checker.view(ask=True) for checker in self._checkers]
        report = self._report(views)
        self._known = _Known(epoch, report, min(view.fresh_until for view in views))
        waits = [(c, view.wait) for c, view in zip(self._checkers, views, strict=True) if view.wait]
        return report, waits

    def arrived(self, waits: Waits) -> bool:
        """Whether every awaited result has arrived. Does not block."""
        return all(checker.arrived(wait) for checker, wait in waits)

    def probe(self, waiting: Waiting = nullcontext) -> Report:
        """The report for a probe: it waits a moment for a dependency that answers, never for one that hangs."""
        report, waits = self.ask()
        if not waits:
            return report
        with waiting():
            for checker, wait in waits:
                checker.wait_for(wait)
        return self.current()

    def probe_fresh(self, waiting: Waiting = nullcontext) -> Report:
        """The report of checks that begin from now on; as `probe` when too many requests wait for theirs already.

        Waits for the turn and the end of the checks: `fresh_seconds` at most, and no longer than until `release`.
        """
        if self._fresh_waiters is None or not self._fresh_waiters.acquire(blocking=False):
            return self.probe(waiting)
        try:
            now = self._clock()
            wait = Wait(now, now + self._fresh_seconds)
            for checker in self._checkers:
                checker.want(wait.began)
            with waiting():
                for checker in self._checkers:
                    checker.wait_for(wait, self._released.is_set)
        finally:
            self._fresh_waiters.release()
        return self.current()

    def release(self) -> None:
        """From now on no request waits for fresh checks; those that do are answered with what is known."""
        self._released.set()
        for checker in self._checkers:
            checker.wake_waiters()

    def follow(self, following: bool) -> None:
        """Count one follower more or less: while there are any, checks are made as often as they may be."""
        for checker in self._checkers:
            checker.follow(following)

    def ailing_threads(self) -> list[str]:
        """Names of the checkers' threads that no longer do their work."""
        return [name for checker in self._checkers for name in checker.ailing_threads()]

    def start(self) -> None:
        """Start checking. Once only, in the process that is to do it (threads do not survive a fork)."""
        for checker in self._checkers:
            checker.start()

    def stop(self) -> None:
        """Signal every checker, then join them; a check that hangs is cut off and not waited for."""
        for checker in self._checkers:
            checker.stop()
        for checker in self._checkers:
            checker.join(JOIN_SECONDS)

    def _report(self, views: Iterable[View]) -> Report:
        """The report of these records: the last one again if none is new, for what is rendered of it already."""
        records = tuple(view.record for view in views)
        last = self._known.report
        return last if all(map(is_, records, last.records)) else Report(self._identity, records)

    def _publish(self, step: Step) -> None:
        self._epoch = object()
        for listener in self._listeners:
            listener(step)
