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

Listener = Callable[[Connection, State | None], None]

log = logging.getLogger(__name__)


class RegistryClosed(Exception):
    """Closing has begun: a connection that came now would be left behind."""


class Registry:
    """From id to Connection, and the places for inbound ones.

    `refused` counts the clients that were not let in, by cause: `capacity` and `closing` are counted here, the others
    by the route that refuses.
    """

    def __init__(self, inbound_cap: int) -> None:
        self.inbound_cap = inbound_cap
        self.refused = Tally(REFUSALS)
        self._lock = threading.Lock()  # guards all below but the listeners
        self._connections: dict[str, Connection] = {}
        self._places = 0
        self._closing = False
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Have `listener(connection, state)` called after each change: one was added, entered `state`, or removed (None).

        The thread that made the change calls it, outside every lock, and must not be held up. What it raises is logged.
        """
        self._listeners.append(listener)

    def add(self, connection_id: str, connection: Connection) -> None:
        """Raises RegistryClosed; ValueError if the id is taken."""
        connection.listener = self._notify
        with self._lock:
            if self._closing:
                raise RegistryClosed("the service is shutting down")
            if connection_id in self._connections:
                raise ValueError(f"there is a connection {connection_id!r} already")
            self._connections[connection_id] = connection
        self._notify(connection, connection.state)

    def remove(self, connection_id: str) -> Connection | None:
        """Forget a connection and return it, not closed; None if there is none."""
        with self._lock:
            connection = self._connections.pop(connection_id, None)
        if connection is not None:
            self._notify(connection, None)
        return connection

    def snapshot(self) -> dict[str, Connection]:
        """A copy of the map."""
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

    def close_all(self, code: int = 1001, words: str = "", timeout: float = 1.0) -> None:
        """Refuse connections from now on, and close all that there are; idempotent.

        All are closed first; then the peers get `timeout` seconds in total to agree, and those that do not are cut off.
        """
        with self._lock:
            self._closing = True
            connections, self._connections = list(self._connections.values()), {}
        end = time.monotonic() + timeout
        for connection in connections:
            connection.close(code, words)
        for connection in connections:
            connection.finish(max(0.0, end - time.monotonic()))

    def counts(self) -> dict[tuple[Direction, State], int]:
        """How many connections there are, by direction and state; no zeros."""
        connections = self.snapshot().values()
        return dict(Counter((connection.direction, connection.state) for connection in connections))

    def facts(self) -> dict[str, Any]:
        """The connections as `/health/details` shows them; `by_state` has every state, times are Unix milliseconds."""
        connections = self.snapshot().values()
        by_state = Counter(connection.state for connection in connections)
        return {
            "by_state": {state.value: by_state[state] for state in State},
            "outbound": [
                {
                    "id": each.id,
                    "state": each.state,
                    "reason": each.reason,
                    "attempts": each.attempts,
                    "since": each.since,
                }
                for each in connections
                if each.direction is Direction.OUTBOUND
            ],
            "inbound": {
                "open": self._places,
                "cap": self.inbound_cap,
                "refused": sum(self.refused.snapshot().values()),
            },
        }

    def _notify(self, connection: Connection, state: State | None) -> None:
        for listener in self._listeners:
            try:
                listener(connection, state)
            except Exception:
                log.exception("a listener to connections failed")
