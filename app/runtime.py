"""What is started and stopped, and in which order."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from app.health.watch import HealthWatch

log = logging.getLogger(__name__)


class Runtime:
    """The running parts of one service process.

    Lives as `start` → `begin_drain` → `stop`; each may be called again, and does nothing then.
    """

    def __init__(self, watch: HealthWatch, wall: Callable[[], float] = time.time) -> None:
        self.watch = watch
        self._draining = threading.Event()
        self._lock = threading.Lock()  # guards _started and _stopped: each happens once
        self._started = False
        self._stopped = False
        self._started_at = int(wall() * 1000)

    @property
    def draining(self) -> bool:
        """Whether the service is leaving."""
        return self._draining.is_set()

    def ailing_threads(self) -> list[str]:
        """Names of own threads that no longer do their work."""
        return self.watch.ailing_threads()

    def facts(self) -> dict[str, Any]:
        """What the details tell beside the checks; times in Unix milliseconds."""
        return {"draining": self.draining, "started_at": self._started_at}

    def start(self) -> None:
        """Start every part, in the process that is to serve: threads do not survive a fork."""
        with self._lock:
            if self._started:
                return
            self._started = True
        self.watch.start()

    def begin_drain(self) -> None:
        """From now on readiness says `draining`, and nobody waits for a check of his own."""
        self._draining.set()
        self.watch.release()

    def stop(self) -> None:
        """Stop every part, in the reverse order of `start`. Takes about a second at most."""
        with self._lock:
            if self._stopped or not self._started:
                return
            self._stopped = True
        self.begin_drain()
        self.watch.stop()
        log.info("stopped")
