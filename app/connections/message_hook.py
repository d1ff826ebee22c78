"""What is done with the messages of an upstream: counted, and handed to whoever wants them."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class MessageHook:
    """Called with each message by the thread that reads it; never raises.

    `handler(name, message)` may raise: that is logged, once for a row of failures.
    """

    def __init__(self, name: str, handler: Callable[[str, str | bytes], None] | None) -> None:
        self._name = name
        self._handler = handler
        self._lock = threading.Lock()  # guards _count: at a redial two readers may overlap
        self._count = 0
        self._failing = False

    def __call__(self, message: str | bytes) -> None:
        with self._lock:
            self._count += 1
        if self._handler is None:
            return
        try:
            self._handler(self._name, message)
            self._failing = False
        except Exception:
            if not self._failing:
                log.exception("upstream %s: the message handler failed", self._name)
            self._failing = True

    @property
    def count(self) -> int:
        return self._count
