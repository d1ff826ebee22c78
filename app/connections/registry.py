"""The map of all connections."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from app.connections.connection import Connection, Direction, State
from app.tally import Tally

# Why a client is not let in, in the order in which it is decided.
REFUSALS = ("handshake", "token", "origin", "capacity", "closing")

Observer = Callable[[Connection, State | None], None]

log = logging.getLogger(__name__)


class NotAdded(Exception):
    """The registry did not take a connection: it is still the caller's to close."""


class RegistryClosed(NotAdded):
    """Closing has begun: what comes now would be left behind."""


class DuplicateId(NotAdded):
    """There is a connection of that id already."""


class Registry:
    """From id to Connection, and the places for inbound ones.

    `refused` counts the clients that were not let in, by cause: `capacity` and `closing` are counted here, the others
    by the route that refuses.
    """

    def __init__(self, inbound_cap: int) -> None:
        self.inbound_cap = inbound_cap
        self.refused = Tally(REFUSALS)
        # guards the map, the number of places taken, whether closing has begun, the observers
        self._lock = threading.Lock()
        self._connections: dict[str, Connection] = {}
        self._places = 0
        self._closing = False
        self._observers: tuple[Observer, ...] = ()

    def subscribe(self, observer: Observer) -> None:
        """Have `observer(connection, state)` called after each change; what it raises is logged.

        A change: one was added, has entered `state`, or was removed (None). The thread that made it
        calls, outside every lock, and must not be held up.
        """
        with self._lock:
            self._observers += (observer,)

    def add(self, connection_id: str, connection: Connection) -> None:
        """Raises RegistryClosed, DuplicateId; ValueError if that is not the connection's own id."""
        if connection_id != connection.id:
            raise ValueError(f"connection {connection.id!r} added as {connection_id!r}")
        connection.observe(self._tell)
        with self._lock:
            if self._closing:
                raise RegistryClosed("the service is closing")
            if connection_id in self._connections:
                raise DuplicateId(f"there is a connection {connection_id!r} already")
            self._connections[connection_id] = connection
        self._tell(connection, connection.state)

    def remove(self, connection_id: str) -> Connection | None:
        """Forget a connection and give it back, not closed; None: there was none.

        An outbound one is not dialled again from now on.
        """
        with self._lock:
            connection = self._connections.pop(connection_id, None)
        if connection is not None:
            self._tell(connection, None)
        return connection

    def holds(self, connection: Connection) -> bool:
        with self._lock:
            return self._connections.get(connection.id) is connection

    def snapshot(self) -> dict[str, Connection]:
        """A copy of the map. The lock is held for the copying of pointers, nothing else."""
        with self._lock:
            return self._connections.copy()

    def reserve(self) -> bool:
        """Take a place for an inbound connection, before any upgrade; `release` gives it back.

        False, and counted as refused, at the cap or when closing has begun.
        """
        with self._lock:
            if not self._closing and self._places < self.inbound_cap:
                self._places += 1
                return True
            cause = "closing" if self._closing else "capacity"
        self.refused.count(cause)
        return False

    def release(self) -> None:
        with self._lock:
            self._places -= 1

    def close_all(self, code: int = 1001, message: str = "", timeout: float = 1.0) -> None:
        """Refuse what comes from now on, and close all there is; idempotent.

        Close frames go to all first; then at most `timeout` seconds in all are waited for answers,
        and what is left is cut.
        """
        with self._lock:
            self._closing = True
            connections, self._connections = list(self._connections.values()), {}
        end = time.monotonic() + timeout
        for connection in connections:
            connection.close(code, message)
        for connection in connections:
            connection.finish(max(0.0, end - time.monotonic()))

    def counts(self) -> dict[tuple[Direction, State], int]:
        """How many there are by direction and state; only those that are."""
        connections = self.snapshot().values()
        return dict(Counter((connection.direction, connection.state) for connection in connections))

    def facts(self) -> dict[str, Any]:
        """What `/health/details` says; `by_state` has every state, times are Unix milliseconds."""
        connections = self.snapshot().values()
        by_state = Counter(connection.state for connection in connections)
        return {
            "by_state": {state.value: by_state[state] for state in State},
            "outbound": [
                {
                    "id": connection.id,
                    "state": connection.state.value,
                    "attempts": connection.attempts,
                    "since": connection.since,
                }
                for connection in connections
                if connection.direction is Direction.OUTBOUND
            ],
            "inbound": {
                "open": self._places,
                "cap": self.inbound_cap,
                "refused": sum(self.refused.snapshot().values()),
            },
        }

    def _tell(self, connection: Connection, state: State | None) -> None:
        for observer in self._observers:
            try:
                observer(connection, state)
            except Exception:
                log.exception("an observer of connections failed")
