"""An entry of the registry, of either direction."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import StrEnum
from typing import ClassVar

from app.net.reason import Reason


class State(StrEnum):
    CONNECTING = "connecting"  # dialled for the first time
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"  # lost or not reached: dialled again
    FAILED = "failed"  # resting after too many attempts
    CLOSED = "closed"  # for good


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Connection(ABC):
    """One connection; `connection_id` is unique in a registry. `wall_clock` returns Unix seconds."""

    direction: ClassVar[Direction]

    def __init__(self, connection_id: str, state: State, wall_clock: Callable[[], float] = time.time) -> None:
        self.id = connection_id
        self.listener: Callable[[Connection, State], None] = lambda connection, state: None
        """Called after each change of state, by the thread that made it."""
        self._wall_clock = wall_clock
        self._lock = threading.Lock()  # guards _state and _since
        self._state = state
        self._since = int(wall_clock() * 1000)

    @property
    def state(self) -> State:
        return self._state

    @property
    def since(self) -> int:
        """When the state began, in Unix milliseconds."""
        return self._since

    @property
    def attempts(self) -> int:
        """Failed attempts in a row."""
        return 0

    @property
    def reason(self) -> Reason | None:
        """Why it is not connected; None while it is."""
        return None

    @abstractmethod
    def sweep(self) -> bool:
        """Repair what its thread cannot repair itself. False: it is over, and is to be removed."""

    @abstractmethod
    def close(self, code: int, words: str = "") -> None:
        """Begin to close it for good; does not wait."""

    @abstractmethod
    def finish(self, timeout: float) -> None:
        """After `close`: give the peer `timeout` seconds to agree, then cut it off."""

    def _enter(self, state: State) -> bool:
        """The one transition, to `state`. False if nothing changes; from CLOSED nothing does."""
        with self._lock:
            if self._state in (state, State.CLOSED):
                return False
            self._state = state
            self._since = int(self._wall_clock() * 1000)
        self.listener(self, state)
        return True
