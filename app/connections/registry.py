"""The map of all connections."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from app.connections.connection import Connection, Direction, State
from app.connections.tally import Tally

log = logging.getLogger(__name__)


class NotAdded(Exception):
    """The registry did not take a connection; it is still the caller's to close."""


class RegistryClosed(NotAdded):
    """Closing has begun: whatever came now would be left behind."""


class DuplicateId(NotAdded):
    """A connection of that id is there already."""


class Registry:
    """From id to Connection, and the number of places for inbound ones.

    `refused` counts connections that were not let in, by cause: `capacity` and `closing` here, the others by whoever
    refuses for them.
    """

    def __init__(self, inbound_cap: int) -> None:
        self.inbound_cap = inbound_cap
        self.refused = Tally("capacity", "closing")
        self._lock = threading.Lock()  # guards the map, the places taken, whether closing has begun, and _observers
        self._connections: dict[str, Connection] = {}
        self._places = 0
        self._closing = False
        self._observers: tuple[Callable[[Connection, State | None], None], ...] = ()

    def subscribe(self, observer: Callable[[Connection, State | None], None]) -> None:
        """`observer(connection, state)` is called after one was added or changed its state, and with None after it was
        removed: by the thread that did it, outside every lock, so it must not take long. What it raises is logged."""
        with self._lock:
            self._observers += (observer,)

    def add(self, connection_id: str, connection: Connection) -> None:
        """Raises RegistryClosed, DuplicateId."""
        connection.observe(self._tell)
        with self._lock:
            if self._closing:
                raise RegistryClosed("the service is closing")
            if connection_id in self._connections:
                raise DuplicateId(f"there is a connection {connection_id!r} already")
            self._connections[connection_id] = connection
        self._tell(connection, connection.state)

    def remove(self, connection_id: str) -> Connection | None:
        """Forget a connection and give it back, not closed; None: there is none. An outbound one is not dialled again
        from now on."""
        with self._lock:
            connection = self._connections.pop(connection_id, None)
        if connection is not None:
            self._tell(connection, None)
        return connection

    def holds(self, connection: Connection) -> bool:
        with self._lock:
            return self._connections.get(connection.id) is connection

    def snapshot(self) -> dict[str, Connection]:
        """A copy of the map: under the lock for as long as copying ten thousand pointers takes."""
        with self._lock:
            return self._connections.copy()

    def reserve(self) -> bool:
        """Take a place for one more inbound connection, before any upgrade; to be given back by `release`.

        False, and counted as refused, at the cap or when closing has begun.
        """
        with self._lock:
            cause = "closing" if self._closing else "capacity" if self._places >= self.inbound_cap else None
            if cause is None:
                self._places += 1
                return True
        self.refused.count(cause)
        return False

    def release(self) -> None:
        with self._lock:
            self._places -= 1

    def close_all(self, code: int = 1001, message: str = "", timeout: float = 1.0) -> None:
        """Refuse what comes from now on and close all there is: close frames to all, then at most `timeout` seconds
        in all for their answers, then cut what is left. Idempotent."""
        with self._lock:
            self._closing = True
            connections, self._connections = list(self._connections.values()), {}
        end = time.monotonic() + timeout
        for connection in connections:
            connection.close(code, message)
        for connection in connections:
            connection.finish(max(0.0, end - time.monotonic()))

    def counts(self) -> Counter[tuple[Direction, State]]:
        """How many connections there are, by direction and state; what is not there is zero."""
        return Counter((connection.direction, connection.state) for connection in self.snapshot().values())

    def facts(self) -> dict[str, Any]:
        """What `/health/details` says of connections: `by_state` has every state; times in Unix milliseconds."""
        connections = self.snapshot().values()
        by_state = Counter(connection.state for connection in connections)
        outbound = [{"id": connection.id, "state": connection.state.value, "attempts": connection.attempts,
                     "since": connection.since}
                    for connection in connections if connection.direction is Direction.OUTBOUND]
        inbound = {"open": self._places, "cap": self.inbound_cap, "refused": sum(self.refused.snapshot().values())}
        return {"by_state": {state.value: by_state[state] for state in State}, "outbound": outbound,
                "inbound": inbound}

    def _tell(self, connection: Connection, state: State | None) -> None:
        for observer in self._observers:
            try:
                observer(connection, state)
            except Exception:
                log.exception("an observer of connections failed")
