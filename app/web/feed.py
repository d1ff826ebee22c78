"""The live feed: what all clients of `/ws` are told, and the newest of it for whoever was too slow."""

import json
import threading
from collections.abc import Callable
from typing import Any, NamedTuple


class FeedMessage(NamedTuple):
    """One message, the same for all clients; `seq` numbers the messages since the service started."""

    seq: int
    text: str


class Feed:
    """Keeps the newest message only: a client that misses some gets the newest when it can, never a queue.

    `facts` gives what a message says beside its type and number. It is called outside the lock, and by one thread at
    a time, so that what has a higher number is never older.
    """

    def __init__(self, facts: Callable[[], dict[str, Any]]) -> None:
        self._facts = facts
        self._changed = threading.Condition()  # guards all below
        self._wanted = 0  # the number of the message that will tell all there is to tell
        self._writing = False
        self._newest: FeedMessage | None = None

    def publish(self) -> None:
        """Tell everybody how things are now. Serialised once, whatever the number of clients.

        While another thread is writing a message, it is left to that thread to write one more, which then tells all
        that has come meanwhile. Raises what `facts` raises.
        """
        with self._changed:
            self._wanted += 1
            if self._writing:
                return
            self._writing = True
        try:
            while self._write():
                pass
        except BaseException:
            with self._changed:
                self._writing = False
            raise

    def newer_than(self, seq: int, timeout: float) -> FeedMessage | None:
        """The newest message if its number is above `seq`; else None, after a notice or `timeout` seconds."""
        with self._changed:
            if self._newest is None or self._newest.seq <= seq:
                self._changed.wait(timeout)
            newest = self._newest
        return newest if newest is not None and newest.seq > seq else None

    def _write(self) -> bool:
        """Write one message; whether another one is wanted by now."""
        with self._changed:
            seq = self._wanted
        text = json.dumps({"type": "health", "seq": seq} | self._facts(), ensure_ascii=False, separators=(",", ":"))
        with self._changed:
            self._newest = FeedMessage(seq, text)
            self._changed.notify_all()
            self._writing = self._wanted > seq
            return self._writing
