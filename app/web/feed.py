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

    `facts` gives what a message says beside its type and number; it is called outside the lock.
    """

    def __init__(self, facts: Callable[[], dict[str, Any]]) -> None:
        self._facts = facts
        self._changed = threading.Condition()  # guards _seq and _newest
        self._seq = 0
        self._newest: FeedMessage | None = None

    def publish(self) -> None:
        """Tell everybody how things are now. Serialised once, whatever the number of clients."""
        with self._changed:
            self._seq += 1
            seq = self._seq
        text = json.dumps(
            {"type": "health", "seq": seq} | self._facts(), ensure_ascii=False, separators=(",", ":")
        )
        with self._changed:
            # One that was overtaken on the way is dropped: a higher number holds newer facts.
            if self._newest is None or seq > self._newest.seq:
                self._newest = FeedMessage(seq, text)
            self._changed.notify_all()

    def newer_than(self, seq: int, timeout: float) -> FeedMessage | None:
        """The newest message if its number is above `seq`; else None, after a notice or `timeout` seconds."""
        with self._changed:
            if self._newest is None or self._newest.seq <= seq:
                self._changed.wait(timeout)
            newest = self._newest
        return newest if newest is not None and newest.seq > seq else None

    def wake(self) -> None:
        """Have every client's thread look again whether its client is still there."""
        with self._changed:
            self._changed.notify_all()
