"""What is known of one dependency: immutable, and made anew by every check. Times are Unix milliseconds."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from app.checks.check import Outcome
from app.health.dependency import Dependency
from app.net.reason import Cause, Reason

CONNECTED = "connected"
DISCONNECTED = "disconnected"
HISTORY = 60
CHANGES = 50
PENDING = Cause(Reason.PENDING, "no check has ended yet")
STALE = Cause(Reason.STALE, "no check has ended for too long")


class CheckEntry(NamedTuple):
    """One ended check; `at` is when it began."""

    at: int
    status: str
    latency_ms: float


class Change(NamedTuple):
    """A change of the reported status or its reason; `at` is when it became known."""

    at: int
    status: str
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Record:
    """The reported status of a dependency, and what led to it.

    `cause` is why it is reported as disconnected, None if it is connected; thresholds stand between the result of a
    check (`last_result`, a status) and what is reported. `since` is when the reported status began to hold,
    `checked_at` and `last_success` when such a check began. Nothing is known at first, so nothing is connected.
    """

    dependency: Dependency
    since: int
    cause: Cause | None = PENDING
    last_result: str | None = None
    checked_at: int | None = None
    latency_ms: float | None = None
    consecutive_failures: int = 0
    consecutive_successes: int = 0
    last_success: int | None = None
    certificate_expires_at: int | None = None
    history: tuple[CheckEntry, ...] = ()
    changes: tuple[Change, ...] = ()

    @property
    def name(self) -> str:
        return self.dependency.name

    @property
    def reason(self) -> Reason | None:
        return self.cause and self.cause.reason

    @property
    def detail(self) -> str | None:
        return self.cause and self.cause.detail

    @property
    def status(self) -> str:
        return status_of(self.cause)

    @property
    def connected(self) -> bool:
        return self.cause is None

    @property
    def in_doubt(self) -> bool:
        """Whether the last result contradicts the reported status."""
        return self.last_result is not None and self.last_result != self.status

    def after_check(self, began: int, ended: int, outcome: Outcome) -> "Record":
        """The record once a check has ended with `outcome`."""
        result = status_of(outcome.cause)
        latency_ms = round(outcome.latency * 1000, 3)
        counted = replace(
            self,
            last_result=result,
            checked_at=began,
            latency_ms=latency_ms,
            consecutive_failures=self.consecutive_failures + 1 if outcome.cause else 0,
            consecutive_successes=0 if outcome.cause else self.consecutive_successes + 1,
            last_success=self.last_success if outcome.cause else began,
            certificate_expires_at=outcome.certificate_expires_at,
            history=(*self.history, CheckEntry(began, result, latency_ms))[-HISTORY:],
        )
        return counted._reporting(ended, outcome.cause) if counted._decides(outcome.cause) else counted

    def gone_stale(self, at: int) -> "Record":
        """The record once its last result is too old to be believed, whatever the thresholds."""
        return self._reporting(at, STALE)

    def _decides(self, cause: Cause | None) -> bool:
        """Whether the last result, with this cause, is what is reported now."""
        if self.reason is Reason.PENDING or status_of(cause) == self.status:
            return True
        if cause is None:
            return self.consecutive_successes >= self.dependency.successes
        return self.consecutive_failures >= self.dependency.failures

    def _reporting(self, at: int, cause: Cause | None) -> "Record":
        if cause == self.cause:
            return self
        turned = status_of(cause) != self.status or self.reason is Reason.PENDING
        reason = cause and cause.reason
        changed = turned or reason is not self.reason
        return replace(
            self,
            cause=cause,
            since=at if turned else self.since,
            changes=(*self.changes, Change(at, status_of(cause), reason))[-CHANGES:] if changed else self.changes,
        )


def status_of(cause: object | None) -> str:
    """The status that goes with a cause or a reason: connected if there is none."""
    return CONNECTED if cause is None else DISCONNECTED
