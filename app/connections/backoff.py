"""How long to wait before the next attempt. Pure: it has neither a clock nor a random source."""

from dataclasses import dataclass

JITTER = 0.2  # at most this part of a wait is added, so that many that were lost at once do not return at once
SETTLED_AFTER = 10  # a connection that has held for this many times the base has proven itself


@dataclass(frozen=True)
class Backoff:
    """n x `base` before attempt n = 0 to `max_attempts` - 1, then `cooldown`; in seconds."""

    base: float = 1.0
    max_attempts: int = 5
    cooldown: float = 300.0  # 0: no attempt after the last one

    def delay(self, failures: int, jitter: float) -> float | None:
        """Seconds to wait after `failures` failed attempts in a row; None: for ever.

        `jitter` is a random number from 0 up to 1.
        """
        if not self.exhausted(failures):
            return failures * self.base * (1 + JITTER * jitter)
        if self.cooldown == 0:
            return None
        return self.cooldown * (1 + JITTER * jitter)

    def exhausted(self, failures: int) -> bool:
        return failures >= self.max_attempts

    def settled(self, held: float) -> bool:
        """Whether a connection that held for `held` seconds starts from attempt 0 when lost."""
        return held >= SETTLED_AFTER * self.base
