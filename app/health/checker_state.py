"""What a checker holds and when it acts next: plain state, without threads, locks or a clock of its own.

Moments (`now`, `began`) are seconds of one clock; `wall` is Unix milliseconds.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from app.checks.check import Outcome
from app.health.record import Record
from app.health.timing import NEVER
from app.net.reason import Cause, Reason


class Wait(NamedTuple):
    """A wait for a result whose check began at `began` or later, until the moment `until` at most."""

    began: float
    until: float


class View(NamedTuple):
    """What a reader sees: the record holds, and needs no new check, until `fresh_until`.

    `wait` is what a probe waits for before it answers, None if it answers now.
    """

    record: Record
    fresh_until: float
    wait: Wait | None


class Step(NamedTuple):
    """A step of the record, and the outcome if it came from a check."""

    before: Record
    after: Record
    outcome: Outcome | None


@dataclass(slots=True)
class Flight:
    """A check under way. `settled`: it has counted as a timeout, and its own result will be dropped."""

    began: float
    wall: int
    settled: bool = False


class CheckerState:
    """The last result, the check under way, and what has been asked for."""

    def __init__(self, record: Record) -> None:
        self.timing = record.dependency.timing
        self.record = record
        self.flight: Flight | None = None
        self.result_began = NEVER
        self.wanted = NEVER
        self.followers = 0
        self.unpublished: list[Step] = []
        self._last_began = NEVER

    def view(self, now: float, ask: bool) -> View:
        """What a reader sees at `now`; one that asks orders a new check if the result is too old."""
        timing, flight = self.timing, self.flight
        fresh_until = self.result_began + timing.max_age
        if flight is not None and not flight.settled:
            fresh_until = min(fresh_until, flight.began + timing.timeout)
        if not ask or now <= fresh_until:
            return View(self.record, fresh_until, None)
        if flight is None:
            self.wanted = max(self.wanted, now)
        expected = flight.began if flight else now
        until = timing.probe_waits_until(self.result_began, expected, now)
        return View(self.record, fresh_until, None if until is None else Wait(expected, until))

    def due(self) -> float:
        """When the next check is to begin, if none is under way."""
        return self.timing.due(self._last_began, self.wanted, self.followers > 0 or self.record.in_doubt)

    def begin(self, now: float, wall: int) -> Flight:
        """A check begins."""
        self.flight = Flight(now, wall)
        self._last_began = now
        return self.flight

    def end(self, outcome: Outcome, now: float, wall: int) -> None:
        """The check under way has come back with `outcome`, which counts only before its deadline."""
        self.settle(now, wall)
        flight, self.flight = self.flight, None
        if flight is None:
            return
        if flight.settled:
            self.wanted = now  # the result is as old as the deadline: check again at once
        else:
            self._conclude(flight, outcome, wall)

    def settle(self, now: float, wall: int) -> None:
        """Apply what time alone decides: a check past its deadline is a timeout, a result too old is stale.

        A check that hangs for longer stays a timeout, unless a threshold hides it: then it is stale in the end.
        """
        flight = self.flight
        if flight is not None and self.overdue(now):
            if not flight.settled:
                flight.settled = True
                expires = self.record.certificate_expires_at
                timeout = Outcome(self._timeout(), self.timing.timeout, certificate_expires_at=expires)
                self._conclude(flight, timeout, wall)
            if not self.record.connected:
                return
        if now - self.result_began > self.timing.stale_after and self._believed():
            self._become(self.record.gone_stale(wall), None)

    def overdue(self, now: float) -> bool:
        """Whether a check is under way that is past its deadline."""
        return self.flight is not None and now >= self.flight.began + self.timing.timeout

    def settles_at(self) -> float:
        """The next moment at which time alone changes the record (inf: there is none)."""
        if self.flight is not None and not self.flight.settled:
            return self.flight.began + self.timing.timeout
        if self._believed() and (self.flight is None or self.record.connected):
            return self.result_began + self.timing.stale_after
        return float("inf")

    def _believed(self) -> bool:
        return self.record.reason not in (Reason.PENDING, Reason.STALE)

    def _conclude(self, flight: Flight, outcome: Outcome, wall: int) -> None:
        self.result_began = flight.began
        if outcome.reason is Reason.TIMEOUT:
            outcome = replace(outcome, cause=self._timeout())
        self._become(self.record.after_check(flight.wall, wall, outcome), outcome)

    def _timeout(self) -> Cause:
        return Cause(Reason.TIMEOUT, f"no answer within {self.timing.timeout:g} s")

    def _become(self, record: Record, outcome: Outcome | None) -> None:
        self.unpublished.append(Step(self.record, record, outcome))
        self.record = record
