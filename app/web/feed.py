"""The live feed: the newest message for all clients of `/ws`."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple


class FeedMessage(NamedTuple):
    """One message, the same for all clients; `seq` numbers the messages since the service started."""

    seq: int
    text: str


class Feed:
    """Keeps the newest message only: a client that misses some gets the newest when it can, never a queue.

    `facts` returns what a message holds beside its type and number. It is called outside the lock, and by one thread
    at a time, so that a message with a higher number is never older.
    """

    def __init__(self, facts: Callable[[], dict[str, Any]]) -> None:
        self.newest = FeedMessage(0, "")
        """Replaced whole. Number 0 is before the first."""
        self._facts = facts
        self._lock = threading.Lock()  # guards all below
        self._wanted = 0  # the number of the message that will report everything up to now
        self._writing = False
        self._listeners: set[Callable[[], None]] = set()

    @contextmanager
    def listening(self, listener: Callable[[], None]) -> Iterator[None]:
        """Have `listener()` called after each new message. It must not wait, and may be called once more at the end."""
        with self._lock:
            self._listeners.add(listener)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def publish(self) -> None:
        """Report the state of this moment to every listener. Serialised once, however many they are.

        While another thread is writing a message, that thread writes one more, which reports everything that has
        happened meanwhile. Raises what `facts` raises.
        """
        with self._lock:
            self._wanted += 1
            if self._writing:
                return
            self._writing = True
        try:
            while self._write():
                pass
        except BaseException:
            with self._lock:
                self._writing = False
            raise

    def _write(self) -> bool:
        """Write one message; whether another one is wanted by now."""
        with self._lock:
            seq = self._wanted
        text = json.dumps({"type": "health", "seq": seq} | self._facts(), ensure_ascii=False, separators=(",", ":"))
        self.newest = FeedMessage(seq, text)
        with self._lock:
            listeners = list(self._listeners)
            self._writing = self._wanted > seq
            again = self._writing
        for listener in listeners:
            listener()
        return again
