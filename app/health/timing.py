"""When a check is due and how long a probe waits: pure rules, in seconds of one clock.

Ages and spacing count from the beginning of a check; NEVER stands for one that never began.
"""

from dataclasses import dataclass

NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Timing:
    """The periods of one dependency's checks, in seconds."""

    interval: float = 5.0
    max_age: float = 1.0
    probe_wait: float = 0.25
    timeout: float = 5.0

    @property
    def stale_after(self) -> float:
        """A result older than this is not believed: it should have been renewed by now."""
        return self.interval + self.timeout + 1.0

    def due(self, last_began: float, wanted: float, urgent: bool) -> float:
        """When the next check begins.

        `wanted` is the latest moment at or after which a reader has asked for one to begin; `urgent` is whether one is
        to begin as soon as it may. However many ask, it is never sooner than `max_age` after the one before.
        """
        if urgent or wanted > last_began:
            return max(last_began + self.max_age, wanted)
        return last_began + self.interval

    def probe_waits_until(self, result_began: float, check_began: float, now: float) -> float | None:
        """Until when a probe waits that finds this result and this check under way; None: it does not wait."""
        until = check_began + self.probe_wait
        if now - result_began > self.max_age + self.probe_wait and now < until:
            return until
        return None
