"""What is started and stopped, and in which order."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from app import __version__
from app.connections.monitor import Monitor
from app.connections.registry import Registry
from app.connections.upstream import Upstream
from app.health.watch import HealthWatch
from app.tally import Tally

GOING_AWAY = 1001
# Why a server closes a connection that it cannot serve, or that has to make room for another.
TURNED_AWAY = ("busy", "evicted")

log = logging.getLogger(__name__)


class Runtime:
    """The running parts of one service process.

    It lives as `start`, `begin_drain`, `close_sockets`, `stop`; each may be called again, and does nothing then.
    """

    def __init__(
        self,
        watch: HealthWatch,
        registry: Registry,
        monitor: Monitor,
        upstreams: Iterable[Upstream] = (),
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.watch = watch
        self.registry = registry
        self.monitor = monitor
        self.turned_away = Tally(TURNED_AWAY)
        """Connections that the server in front of the application did not serve, by cause; counted there."""
        self._upstreams = upstreams
        self._started_at = int(wall() * 1000)
        self._draining = threading.Event()
        self._on_drain: list[Callable[[], None]] = []
        self._lock = threading.Lock()  # guards _started and _stopped: each happens once
        self._started = False
        self._stopped = False

    @property
    def draining(self) -> bool:
        """Whether the service is shutting down."""
        return self._draining.is_set()

    def on_drain(self, listener: Callable[[], None]) -> None:
        """Have `listener` called when draining begins; before `start`."""
        self._on_drain.append(listener)

    def ailing_threads(self) -> list[str]:
        """Names of the service's own threads that no longer do their work."""
        late = ["monitor"] if self._started and self.monitor.overdue() else []
        return self.watch.ailing_threads() + late

    def facts(self) -> dict[str, Any]:
        """The details beside the checks; times in Unix milliseconds."""
        return {
            "connections": self.registry.facts(),
            "monitor": self.monitor.facts(),
            "draining": self.draining,
            "started_at": self._started_at,
            "software": {"name": "server-health", "version": __version__},
        }

    def start(self) -> None:
        """Start every part, in the process that is to serve: threads do not survive a fork."""
        with self._lock:
            if self._started:
                return
            self._started = True
        self.watch.start()
        for upstream in self._upstreams:
            self.registry.add(upstream.id, upstream)
            upstream.start()
        self.monitor.start()

    def begin_drain(self) -> None:
        """From now on readiness is `draining`, and no request waits for a fresh check."""
        if self._draining.is_set():
            return
        self._draining.set()
        self.watch.release()
        for listener in self._on_drain:
            listener()

    def close_sockets(self) -> None:
        """Close every WebSocket with 1001, and accept no more. About a second at most."""
        self.registry.close_all(GOING_AWAY)

    def stop(self) -> None:
        """Stop every part, in the reverse order of `start`. A few seconds at most, whatever hangs."""
        with self._lock:
            if self._stopped or not self._started:
                return
            self._stopped = True
        self.begin_drain()
        self.close_sockets()
        self.monitor.stop()
        self.watch.stop()
        log.info("stopped")
