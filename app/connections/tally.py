"""Counts by name, from any thread."""

import threading
from collections import Counter


class Tally:
    """Counters that only grow; those named at the start are there from the start, as zero."""

    def __init__(self, *names: str) -> None:
        self._lock = threading.Lock()  # guards _counts
        self._counts: Counter[str] = Counter(dict.fromkeys(names, 0))

    def count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1

    def snapshot(self) -> dict[str, int]:
        """The counts of this moment by name; a copy."""
        with self._lock:
            return dict(self._counts)
