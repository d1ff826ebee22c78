"""Counts by key, from any thread."""

import threading
from collections.abc import Iterable
from typing import Generic, TypeVar

Key = TypeVar("Key")


class Tally(Generic[Key]):
    """Counts that only grow, of a closed list of keys."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._lock = threading.Lock()  # guards _counts
        self._counts = dict.fromkeys(keys, 0)

    def count(self, key: Key) -> None:
        """Count one more; raises KeyError for a key that was not given."""
        with self._lock:
            self._counts[key] += 1

    def snapshot(self) -> dict[Key, int]:
        """The counts of this moment; a copy."""
        with self._lock:
            return dict(self._counts)
