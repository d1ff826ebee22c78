"""What to do when the machine has nothing left for a new connection."""

import errno
import logging
import math

ERRORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
PAUSE_SECONDS = 0.25
PLENTY_SECONDS = 10.0

log = logging.getLogger(__name__)


class Scarcity:
    """Whether connections can be accepted; logs when that begins to fail, and when it works again.

    It works again when it has not failed for PLENTY_SECONDS: what is freed for one connection is gone with the next.
    Used by one thread; moments are of its monotonic clock.
    """

    def __init__(self) -> None:
        self.paused_until = 0.0
        """The moment from which on accepting is worth another attempt."""
        self.over_at = math.inf
        """The moment at which it is over if accepting does not fail again; infinite if there is none."""

    def failed(self, error: OSError, now: float) -> None:
        """A connection could not be accepted."""
        if self.over_at == math.inf:
            log.warning("no room for new connections (%s): making some by closing others", error.strerror)
        self.over_at = now + PLENTY_SECONDS

    def pause(self, now: float) -> None:
        """Nothing can be closed: a connection that waits to be accepted keeps its listener readable, and the loop
        would spin."""
        self.paused_until = now + PAUSE_SECONDS

    def freed(self) -> None:
        """There may be room for a connection now."""
        self.paused_until = 0.0

    def end(self) -> None:
        """It is over."""
        self.over_at = math.inf
        log.info("there has been room for every new connection for %g s", PLENTY_SECONDS)
