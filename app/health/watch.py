"""All the probers as one: what is known now, and the rule of who waits for fresher news."""

import threading
import time
from collections.abc import Callable, Iterable
from operator import is_
from typing import NamedTuple

from app.health.checks import Check
from app.health.probe_state import Told, View, Wait
from app.health.prober import Prober
from app.health.report import Identity, Report
from app.health.timing import NEVER, Timing

Listener = Callable[[Told], None]
Waits = list[tuple[Prober, Wait]]
JOIN_SECONDS = 0.5


class _Known(NamedTuple):
    """A report that needs no new check until `fresh_until`, unless the epoch has changed since."""

    epoch: object
    report: Report
    fresh_until: float


class HealthWatch:
    """The service's view of its dependencies; owns one prober for each check.

    `fresh_waiters`: how many requests may wait for a check of their own at the same time (0: none).
    `listeners` are called with every step of every record, each by the thread of its prober.
    """

    def __init__(
        self,
        identity: Identity,
        checks: Iterable[Check],
        timing: Timing,
        fresh_waiters: int,
        listeners: Iterable[Listener] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._identity = identity
        self._timing = timing
        self._clock = clock
        self._listeners = list(listeners)
        self._probers = [
            Prober(check, timing, self._told, clock) for check in sorted(checks, key=lambda check: check.name)
        ]
        self._fresh_waiters = threading.BoundedSemaphore(fresh_waiters) if fresh_waiters else None
        self._released = threading.Event()
        # Both are replaced whole, so reading them needs no lock. A new epoch makes _known void; whoever
        # computes takes the epoch first, so that what changes meanwhile is not missed.
        self._epoch = object()
        nothing = Report(identity, tuple(prober.view().record for prober in self._probers))
        self._known = _Known(object(), nothing, NEVER)

    @property
    def dependencies(self) -> list[str]:
        """Their names, in the order of a report."""
        return [prober.name for prober in self._probers]

    def listen(self, listener: Listener) -> None:
        """Add a listener. One added after `start` hears of what comes from then on."""
        self._listeners.append(listener)

    def current(self) -> Report:
        """What is known now. Asks for nothing, waits for nothing."""
        return self._report([prober.view() for prober in self._probers])

    def ask(self) -> tuple[Report, Waits]:
        """What is known now, as a probe asks: orders checks if needed, and says what a probe waits for.

        Who must not block is told by a listener that there is something new, and asks `brought`.
        """
        known = self._known
        if known.epoch is self._epoch and self._clock() < known.fresh_until:
            return known.report, []
        epoch = self._epoch
        views = [prober.view(ask=True) for prober in self._probers]
        report = self._report(views)
        self._known = _Known(epoch, report, min(view.fresh_until for view in views))
        waits = [(p, view.wait) for p, view in zip(self._probers, views, strict=True) if view.wait]
        return report, waits

    def brought(self, waits: Waits) -> bool:
        """Whether all that is waited for is there. Does not block."""
        return all(prober.brought(wait) for prober, wait in waits)

    def probe(self) -> Report:
        """What a probe is told: it waits a moment for a dependency that answers, never for one that hangs."""
        report, waits = self.ask()
        if not waits:
            return report
        for prober, wait in waits:
            prober.wait_for(wait)
        return self.current()

    def probe_fresh(self) -> Report:
        """What checks say that begin from now on; with too many waiting for theirs already, as `probe`.

        Waits for their turn and their end: `max_age + timeout` at most, no longer than until `release`.
        """
        if self._fresh_waiters is None or not self._fresh_waiters.acquire(blocking=False):
            return self.probe()
        try:
            now = self._clock()
            wait = Wait(now, now + self._timing.max_age + self._timing.timeout)
            for prober in self._probers:
                prober.want(wait.began)
            for prober in self._probers:
                prober.wait_for(wait, self._released.is_set)
        finally:
            self._fresh_waiters.release()
        return self.current()

    def release(self) -> None:
        """From now on nobody waits for fresh checks; who does is answered with what is known."""
        self._released.set()
        for prober in self._probers:
            prober.wake_waiters()

    def follow(self, following: bool) -> None:
        """Count one follower more or less: while there are any, checks are made as often as they may be."""
        for prober in self._probers:
            prober.follow(following)

    def ailing_threads(self) -> list[str]:
        """Names of the probers' threads that no longer do their work."""
        return [name for prober in self._probers for name in prober.ailing_threads()]

    def start(self) -> None:
        """Start checking. Once only, in the process that is to do it (threads do not survive a fork)."""
        for prober in self._probers:
            prober.start()

    def stop(self) -> None:
        """Signal every prober, then join them; a check that hangs is cut off and not waited for."""
        for prober in self._probers:
            prober.stop()
        for prober in self._probers:
            prober.join(JOIN_SECONDS)

    def _report(self, views: Iterable[View]) -> Report:
        """The report of these records: the last one again if none is new, for what is rendered of it already."""
        records = tuple(view.record for view in views)
        last = self._known.report
        return last if all(map(is_, records, last.records)) else Report(self._identity, records)

    def _told(self, told: Told) -> None:
        self._epoch = object()
        for listener in self._listeners:
            listener(told)
