"""One log line for each change of a dependency's status, none for a check that repeats it."""

import logging
import threading
import time
from collections.abc import Callable

from app.health.checker_state import Step
from app.health.record import Record
from app.net.reason import Reason

REASON_SECONDS = 60.0

log = logging.getLogger(__name__)


class StateLog:
    """A listener that logs: INFO up, WARNING down, with how long the last status held.

    A reason that changes while the dependency stays down is logged at most once in REASON_SECONDS.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # guards _reason_logged_at
        self._reason_logged_at: dict[str, float] = {}

    def __call__(self, step: Step) -> None:
        before, after = step.before, step.after
        if after.reason is before.reason:
            return
        turned = after.status != before.status or before.reason is Reason.PENDING
        if not self._due(after.dependency, turned):
            return
        error = step.outcome.error if step.outcome else None
        cause = f" ({type(error).__name__}: {error})" if error else ""
        if not turned:
            log.warning("%s still disconnected, now: %s%s", after.dependency, after.reason, cause)
        elif after.connected:
            log.info("%s connected, after %s", after.dependency, _held(before, after))
        else:
            log.warning("%s disconnected: %s, after %s%s", after.dependency, after.reason, _held(before, after), cause)

    def _due(self, dependency: str, turned: bool) -> bool:
        now = self._clock()
        with self._lock:
            last = self._reason_logged_at.get(dependency)
            if turned or last is None or now - last >= REASON_SECONDS:
                self._reason_logged_at[dependency] = now
                return True
        return False


def _held(before: Record, after: Record) -> str:
    """How long the status before held, and what it was."""
    seconds = max(0.0, (after.since - before.since) / 1000)
    return f"{seconds:.1f} s {before.reason or before.status}"
