"""What is known of one dependency: immutable, and made anew by every check. Times are Unix milliseconds."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from app.net.reason import Reason

CONNECTED = "connected"
DISCONNECTED = "disconnected"
HISTORY = 60
CHANGES = 50


class CheckEntry(NamedTuple):
    """One ended check; `at` is when it began."""

    at: int
    status: str
    latency_ms: float


class Change(NamedTuple):
    """A change of status or reason; `at` is when it became known."""

    at: int
    status: str
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Record:
    """The last result of a dependency's checks, and what led to it.

    `since` is when the present status began to hold, `checked_at` and `last_success` when such a check began. Nothing
    is known at first, so nothing is connected.
    """

    dependency: str
    since: int
    reason: Reason | None = Reason.PENDING
    checked_at: int | None = None
    latency_ms: float | None = None
    consecutive_failures: int = 0
    last_success: int | None = None
    history: tuple[CheckEntry, ...] = ()
    changes: tuple[Change, ...] = ()

    @property
    def status(self) -> str:
        return status_of(self.reason)

    @property
    def connected(self) -> bool:
        return self.reason is None

    def after_check(self, began: int, ended: int, reason: Reason | None, latency_ms: float) -> "Record":
        """The record once a check has ended with `reason` (None: connected)."""
        entry = CheckEntry(began, status_of(reason), latency_ms)
        return replace(
            self._with_reason(ended, reason),
            checked_at=began,
            latency_ms=latency_ms,
            consecutive_failures=0 if reason is None else self.consecutive_failures + 1,
            last_success=began if reason is None else self.last_success,
            history=(*self.history, entry)[-HISTORY:],
        )

    def gone_stale(self, at: int) -> "Record":
        """The record once its last result is too old to be believed."""
        return self._with_reason(at, Reason.STALE)

    def _with_reason(self, at: int, reason: Reason | None) -> "Record":
        if reason is self.reason:
            return self
        turned = status_of(reason) != self.status or self.reason is Reason.PENDING
        return replace(
            self,
            reason=reason,
            since=at if turned else self.since,
            changes=(*self.changes, Change(at, status_of(reason), reason))[-CHANGES:],
        )


def status_of(reason: Reason | None) -> str:
    """The status that goes with a reason: connected if there is none."""
    return CONNECTED if reason is None else DISCONNECTED
