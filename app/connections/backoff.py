"""How long to wait before the next attempt. Pure: no clock, no random source of its own."""

from dataclasses import dataclass

JITTER = 0.2  # at most this part of a wait is added: many lost at once do not come back at once
SETTLED_AFTER = 10  # a connection that has held for this many times the base has proven itself


@dataclass(frozen=True)
class Backoff:
    """n x `base` before attempt n = 0 to `max_attempts` - 1, then `cooldown`; in seconds."""

    base: float = 1.0
    max_attempts: int = 5
    cooldown: float = 300.0  # 0: after the last attempt, rest for good

    def delay(self, failures: int, jitter: float) -> float | None:
        """Seconds to wait after `failures` failed attempts in a row; None: for good.

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
