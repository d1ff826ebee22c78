"""One budget of time for several steps, which whoever gave it can also take back."""

import math
import select
import time
from collections.abc import Callable

SLICE = 0.1  # seconds: how soon a step notices that its work was cancelled


class Cancelled(Exception):
    """The work is no longer wanted; it has neither failed nor come to anything."""


class Deadline:
    """`seconds` from now on the monotonic `clock`, unless `cancelled()` turns true before."""

    def __init__(
        self, seconds: float, cancelled: Callable[[], bool] = lambda: False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._cancelled = cancelled
        self._end = clock() + seconds

    def remaining(self) -> float:
        """Seconds left, above 0. Raises TimeoutError when none are, Cancelled when cancelled."""
        if self._cancelled():
            raise Cancelled
        left = self._end - self._clock()
        if left <= 0:
            raise TimeoutError("out of time")
        return left

    def slice(self) -> float:
        """How long a step may wait before it asks again. Raises as `remaining`."""
        return min(self.remaining(), SLICE)

    def share(self, parts: int) -> "Deadline":
        """A deadline for one of the `parts` things still to be tried. Raises as `remaining`."""
        return Deadline(self.remaining() / parts, self._cancelled, self._clock)

    def await_ready(self, descriptor: int, events: int) -> None:
        """Return when poll(2) tells one of `events`, or an error. Raises as `remaining`."""
        while not ready(descriptor, events, self.slice()):
            pass


def ready(descriptor: int, events: int, timeout: float) -> bool:
    """Whether poll(2) tells one of `events`, or an error, of `descriptor` within `timeout` seconds.

    poll, because select knows no descriptor above 1023 and epoll costs one more.
    """
    poll = select.poll()
    poll.register(descriptor, events)
    return bool(poll.poll(math.ceil(timeout * 1000)))
