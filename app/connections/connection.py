"""What the registry keeps: a connection's states, and what both directions share."""

import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import ClassVar, Protocol


class State(StrEnum):
    CONNECTING = "connecting"  # dialled for the first time
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"  # lost, or not reached: dialled again
    FAILED = "failed"  # resting after too many attempts
    CLOSED = "closed"  # for good: by us, or, an inbound one, by its client


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Socket(Protocol):
    """What a connection needs of a WebSocket; see sender.Sender."""

    def is_alive(self) -> bool: ...
    def ending(self) -> str: ...
    def close(self, reason: int | None = None, message: str | None = None) -> bool: ...
    def finish(self, timeout: float = ...) -> None: ...


class Connection:
    """One connection, whatever its sockets do. Each transition is one method that says if it won.

    `connection_id` is unique in a registry; `wall_clock` gives Unix seconds.
    """

    direction: ClassVar[Direction]

    def __init__(self, connection_id: str, state: State, wall_clock: Callable[[], float] = time.time) -> None:
        self.id = connection_id
        self._wall_clock = wall_clock
        # Guards all that a transition reads and changes, here and in subclasses, while it decides;
        # who won does what follows from it (sockets, log, callbacks) after giving it back.
        self._lock = threading.Lock()
        self._state = state
        self._since = int(wall_clock() * 1000)
        self._observer: Callable[[Connection, State], None] | None = None

    @property
    def state(self) -> State:
        return self._state

    @property
    def since(self) -> int:
        """When the state began, Unix milliseconds."""
        return self._since

    @property
    def due(self) -> float | None:
        """When `reconnect` has something to do, on the monotonic clock; None: as it is, never."""
        return None

    @property
    def attempts(self) -> int:
        """Failed attempts in a row."""
        return 0

    def is_healthy(self) -> bool:
        raise NotImplementedError

    def reconnect(self, cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Make one attempt, if one is due and nobody else makes it. True: connected now."""
        raise NotImplementedError

    def recover(self) -> bool:
        """What a sweep does with one that is not healthy. False: it is to be removed."""
        raise NotImplementedError

    def close(self, code: int = 1001, message: str = "") -> bool:
        """Close for good; does not wait. False: it was closed already."""
        raise NotImplementedError

    def finish(self, timeout: float) -> None:
        """After `close`: wait at most `timeout` seconds for the peer to agree, then cut it off."""
        raise NotImplementedError

    def observe(self, observer: Callable[["Connection", State], None]) -> None:
        """`observer(connection, state)` is called after a change of state, by who made it."""
        self._observer = observer

    def _enter(self, state: State) -> bool:
        """With the lock held: whether that is another state than before."""
        assert self._lock.locked()
        if state is self._state:
            return False
        self._state = state
        self._since = int(self._wall_clock() * 1000)
        return True

    def _tell(self, state: State) -> None:
        """Without the lock: `state` has begun."""
        if self._observer is not None:
            self._observer(self, state)
