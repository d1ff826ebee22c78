"""The thread that sweeps the registry and sees to it that what is lost is dialled again."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from app.connections.connection import Connection, State
from app.connections.dial_pool import DialPool
from app.connections.registry import Registry

LATE = 10.0  # seconds after which a turn that has not begun means that the thread is stuck

log = logging.getLogger(__name__)


class Monitor:
    """Owns the thread "monitor" and the threads that dial.

    One turn sweeps when it is time, and hands connections that are due to the pool. Between turns
    the thread sleeps until the next of these, or until a connection is lost. A backoff is an entry
    in a heap, not a thread that waits.

    `interval` is that of sweeps, in seconds; `wait(seconds)` sleeps, and may return early.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        interval: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        wait: Callable[[float], None] | None = None,
        pool: DialPool | None = None,
    ) -> None:
        self.interval = interval
        self.sweeps = 0
        self.last_sweep: int | None = None  # when it ended, Unix milliseconds
        self._registry = registry
        self._clock = clock
        self._wall_clock = wall_clock
        self._wait = wait or self._sleep
        self._pool = pool or DialPool(self.attempt)
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._lock = threading.Lock()  # guards _due and _planned
        # a heap of (when, tie-breaker, connection)
        self._due: list[tuple[float, int, Connection]] = []
        # those in _due or handed to the pool, so that each is there once
        self._planned: set[Connection] = set()
        self._numbers = itertools.count()
        self._next_sweep = clock()
        self._next_turn = clock()
        self._thread: threading.Thread | None = None
        self._observers: tuple[Callable[[], None], ...] = ()
        registry.subscribe(self._changed)

    def subscribe(self, observer: Callable[[], None]) -> None:
        """Have `observer()` called by this thread after every sweep; what it raises is logged."""
        self._observers += (observer,)

    # the thread

    def start(self) -> None:
        """Idempotent; not after `stop`. In the process that serves, never before a fork."""
        if self._thread is None:
            self._next_sweep = self._next_turn = self._clock()
            self._thread = threading.Thread(target=self.run, name="monitor", daemon=True)
            self._thread.start()

    def stop(self, timeout: float = 1.0) -> None:
        """End the threads, whatever they wait for or dial; idempotent. Closes no connection."""
        self._stopping.set()
        self._wake.set()
        self._pool.stop()
        if self._thread is not None:
            self._thread.join(timeout)
        self._pool.join(timeout)

    def run(self) -> None:
        while not self._stopping.is_set():
            pause = self.turn()
            self._next_turn = self._clock() + pause
            self._wait(pause)

    def overdue(self) -> bool:
        """Whether the thread has ended, was never started, or is over LATE seconds late for a turn.

        False once `stop` was called: it ends because it was told to.
        """
        if self._stopping.is_set():
            return False
        return self._thread is None or not self._thread.is_alive() or self._clock() > self._next_turn + LATE

    def facts(self) -> dict[str, Any]:
        """What `/health/details` says of the monitor."""
        return {"last_sweep": self.last_sweep, "sweeps": self.sweeps}

    # one turn

    def turn(self) -> float:
        """Do what it is time for; seconds until there is more to do."""
        if self._clock() >= self._next_sweep:
            self._next_sweep = self._clock() + self.interval
            try:
                self.sweep()
            except Exception:
                log.exception("a sweep failed")
        return self._dispatch()

    def sweep(self) -> None:
        """Look at every connection once; recover those that are not healthy."""
        for connection in self._registry.snapshot().values():
            try:
                if connection.is_healthy():
                    continue
                if connection.recover():
                    self.schedule(connection)
                else:
                    self._registry.remove(connection.id)
            except Exception:
                log.exception("connection %s could not be swept", connection.id)
        self.sweeps += 1
        self.last_sweep = int(self._wall_clock() * 1000)
        for observer in self._observers:
            try:
                observer()
            except Exception:
                log.exception("an observer of sweeps failed")

    def schedule(self, connection: Connection) -> None:
        """Have `connection` dialled when it is due, if ever; once, however often this is called."""
        due = connection.due
        if due is None or self._stopping.is_set():
            return
        with self._lock:
            if connection in self._planned:
                return
            self._planned.add(connection)
            heapq.heappush(self._due, (due, next(self._numbers), connection))
        self._wake.set()

    def attempt(self, connection: Connection) -> None:
        """In a thread of the pool: one attempt, and the plan for the next."""
        with self._lock:
            self._planned.discard(connection)
        if self._registry.holds(connection):
            connection.reconnect(self._stopping.is_set)
            self.schedule(connection)

    def _dispatch(self) -> float:
        with self._lock:
            now = self._clock()
            ready = []
            while self._due and self._due[0][0] <= now:
                ready.append(heapq.heappop(self._due)[2])
            next_turn = min(self._next_sweep, self._due[0][0]) if self._due else self._next_sweep
        for connection in ready:
            self._pool.submit(connection)
        return max(0.0, next_turn - now)

    def _changed(self, connection: Connection, state: State | None) -> None:
        if state is not None:
            self.schedule(connection)

    def _sleep(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()
