"""One log line for each change of a dependency's status, none for a check that repeats it."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

from app.health.checker_state import Step
from app.health.record import Record
from app.net.clock import clock as default_clock
from app.net.reason import Reason

CAUSE_SECONDS = 60.0
REMINDER_SECONDS = 3600.0

log = logging.getLogger(__name__)


class _Known(NamedTuple):
    """The newest record and the exception behind it; the record in the last line, when it was written, and when the
    status in it was first logged."""

    record: Record
    error: BaseException | None
    logged: Record
    logged_at: float
    turned_at: float


class StateLog:
    """A listener that logs: INFO up, WARNING down, with how long the last status held.

    While a dependency stays disconnected, another reason or detail is logged once CAUSE_SECONDS have passed since the
    last line about it, if it still holds then, and a reminder every REMINDER_SECONDS. Both become due by time alone, so
    `tick` is to be called now and then. `addresses` are what is asked, by dependency, without credentials.
    """

    def __init__(self, service: str, addresses: Mapping[str, str], clock: Callable[[], float] = default_clock) -> None:
        self._service = service
        self._addresses = addresses
        self._clock = clock
        self._lock = threading.Lock()  # guards _known
        self._known: dict[str, _Known] = {}

    def __call__(self, step: Step) -> None:
        name = step.after.name
        now = self._clock()
        with self._lock:
            before = self._known.get(name) or _Known(step.before, None, step.before, now, now)
            error = step.outcome.error if step.outcome else None
            self._known[name] = known = before._replace(record=step.after, error=error)
        self._log_if_due(name, known, now)

    def tick(self) -> None:
        """Log what has become due meanwhile."""
        now = self._clock()
        with self._lock:
            known = list(self._known.items())
        for name, each in known:
            self._log_if_due(name, each, now)

    def _log_if_due(self, name: str, known: _Known, now: float) -> None:
        record, logged = known.record, known.logged
        silent = now - known.logged_at
        turned = record.status != logged.status or (
            logged.reason is Reason.PENDING and record.reason is not Reason.PENDING
        )
        if turned:
            line = f"{record.status}{self._why(record)}, after {_held(logged, record)}"
        elif record.connected or record.reason is Reason.PENDING:
            return
        elif record.cause != logged.cause and silent >= CAUSE_SECONDS:
            line = f"still disconnected, now{self._why(record)}"
        elif silent >= REMINDER_SECONDS:
            line = f"still disconnected{self._why(record)}, for {now - known.turned_at:.0f} s"
        else:
            return
        with self._lock:
            current = self._known[name]
            if current.logged is not logged:
                return  # another thread has logged meanwhile
            turned_at = now if turned else current.turned_at
            self._known[name] = current._replace(logged=record, logged_at=now, turned_at=turned_at)
        error = f" ({type(known.error).__name__}: {known.error})" if known.error else ""
        log.log(
            logging.INFO if record.connected else logging.WARNING,
            "%s %s%s",
            name,
            line,
            error,
            extra={"dependency": name, "reason": record.reason, "detail": record.detail, "service": self._service},
        )

    def _why(self, record: Record) -> str:
        cause = f": {record.reason}, {record.detail}" if record.cause else ""
        return f"{cause}, asked {self._addresses[record.name]}"


def _held(before: Record, after: Record) -> str:
    """How long the status before held, and what it was."""
    seconds = max(0.0, (after.since - before.since) / 1000)
    return f"{seconds:.1f} s {before.reason or before.status}"
