"""The thread that sweeps the registry."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from app.connections.registry import Registry

LATE = 10.0  # seconds after which a sweep that has not begun means that the thread is stuck

log = logging.getLogger(__name__)


class Monitor:
    """Owns the thread "monitor", which sweeps at once and then every `interval` seconds.

    `wait(seconds)` sleeps, and returns whether it is time to stop. `clock` stands still while the machine sleeps, as the
    wait does: a monitor that has been woken with the machine is not late.
    """

    def __init__(
        self,
        registry: Registry,
        interval: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self.interval = interval
        self.sweeps = 0
        self.last_sweep: int | None = None
        """When it ended, in Unix milliseconds."""
        self._registry = registry
        self._clock = clock
        self._wall_clock = wall_clock
        self._stop = threading.Event()
        self._wait = wait or self._stop.wait
        self._next_sweep = clock()
        self._thread: threading.Thread | None = None
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Have `listener()` called by this thread after every sweep; what it raises is logged."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Start the thread; idempotent. In the process that serves: threads do not survive a fork."""
        if self._thread is None:
            thread = threading.Thread(target=self.run, name="monitor", daemon=True)
            self._next_sweep = self._clock()
            thread.start()
            self._thread = thread

    def stop(self, timeout: float = 1.0) -> None:
        """End the thread; idempotent. Closes no connection."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def run(self) -> None:
        """Sweeps, until it is stopped."""
        while not self._stop.is_set():
            try:
                self.sweep()
            except Exception:
                log.exception("a sweep failed")
            self._next_sweep = self._clock() + self.interval
            self._wait(self.interval)

    def overdue(self) -> bool:
        """Whether the thread has ended, was never started, or is over LATE seconds late; False once it is stopped."""
        if self._stop.is_set():
            return False
        return self._thread is None or not self._thread.is_alive() or self._clock() > self._next_sweep + LATE

    def facts(self) -> dict[str, Any]:
        """The monitor as `/health/details` shows it."""
        return {"last_sweep": self.last_sweep, "sweeps": self.sweeps}

    def sweep(self) -> None:
        """Look at every connection once, and remove those that are over."""
        for connection in self._registry.snapshot().values():
            try:
                if not connection.sweep():
                    self._registry.remove(connection.id)
            except Exception:
                log.exception("connection %s could not be swept", connection.id)
        self.sweeps += 1
        self.last_sweep = int(self._wall_clock() * 1000)
        for listener in self._listeners:
            try:
                listener()
            except Exception:
                log.exception("a listener to sweeps failed")
