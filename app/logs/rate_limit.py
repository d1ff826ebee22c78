"""How often strangers can have the same thing logged."""

import logging
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

MOST = 10  # lines of one kind in SECONDS
SECONDS = 60.0
MOST_KINDS = 100  # every statement that logs is one; the bound is for a template that is not constant
TEMPLATE_CHARACTERS = 200
# All that these loggers and those below them log can be provoked by a client or by a peer.
PROVOKED = (
    "app.connections.client.",
    "app.connections.websocket.",
    "app.logs.",  # a thread that a message of a peer has ended
    "app.serving.",
    "app.web.",
    "concurrent.futures.",
    "gunicorn.http.",
    "urllib3.",
)
# gunicorn's main logger reports starts and stops too, and puts the request into the template.
GUNICORN = "gunicorn.error"
GUNICORN_PROVOKED = ("Invalid request from", "Error handling request", "Socket error processing request")


class Kind(NamedTuple):
    """Lines that count together."""

    logger: str
    level: int
    template: str


class RateLimit:
    """Counts the lines of each kind in a minute, which begins with the first line after the minute before.

    Its owner serialises the calls.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = 0.0
        self._counts: Counter[Kind] = Counter()

    def admits(self, record: logging.LogRecord) -> bool:
        """Whether this record is to be logged; if not, it is counted for the summary."""
        kind = kind_of(record)
        if kind is None:
            return True
        if not self._counts:
            self._began = self._clock()
        if len(self._counts) >= MOST_KINDS and kind not in self._counts:
            kind = kind._replace(template="%s")
        self._counts[kind] += 1
        return self._counts[kind] <= MOST

    def remaining(self) -> float:
        """Seconds until the minute is over; SECONDS when none has begun."""
        return self._began + SECONDS - self._clock() if self._counts else SECONDS

    def sum_up(self) -> list[logging.LogRecord]:
        """End the minute: one record for each kind of which records were not admitted."""
        counts, self._counts = self._counts, Counter()
        return [_summary(kind, count - MOST) for kind, count in counts.items() if count > MOST]


def kind_of(record: logging.LogRecord) -> Kind | None:
    """The kind of a record that strangers can provoke; None for all others, which are never limited."""
    template = str(record.msg)[:TEMPLATE_CHARACTERS]
    if f"{record.name}.".startswith(PROVOKED):
        return Kind(record.name, record.levelno, template)
    if record.name == GUNICORN:
        for beginning in GUNICORN_PROVOKED:
            if template.startswith(beginning):
                return Kind(record.name, record.levelno, f"{beginning} %s")
    return None


def _summary(kind: Kind, count: int) -> logging.LogRecord:
    template = re.sub(r"%[^%a-zA-Z]*[a-zA-Z]", "...", kind.template)
    message = '%d more like "%s" in the last minute'
    return logging.LogRecord(kind.logger, kind.level, __file__, 0, message, (count, template), None)
