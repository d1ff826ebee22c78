"""One budget of time for several steps."""

from collections.abc import Callable

from app.net.clock import clock as default_clock


class Deadline:
    """`seconds` from now on `clock`."""

    def __init__(self, seconds: float, clock: Callable[[], float] = default_clock) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def remaining(self) -> float:
        """Seconds left, above 0. Raises TimeoutError when none are left."""
        left = self._end - self._clock()
        if left <= 0:
            raise TimeoutError("no time left")
        return left

    def passed(self) -> bool:
        return self._clock() >= self._end

    def within(self, seconds: float) -> "Deadline":
        """The earlier of this deadline and `seconds` from now. Raises TimeoutError when no time is left."""
        return Deadline(min(seconds, self.remaining()), self._clock)

    def share(self, parts: int) -> "Deadline":
        """A deadline for one of the `parts` things still to be tried. Raises TimeoutError when no time is left."""
        return Deadline(self.remaining() / parts, self._clock)
