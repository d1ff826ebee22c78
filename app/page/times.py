"""Times as the page shows them, in UTC. Pure. static/page.js writes them again in the reader's time zone."""

from dataclasses import dataclass
from datetime import UTC, datetime

from app.health.formats import span


@dataclass(frozen=True)
class Moment:
    """A point in time, `at`, seen from `now`; both in Unix milliseconds.

    An age counts whole seconds as a clock shows them, so that it is the difference of the two times beside it.
    """

    at: int
    now: int

    @property
    def machine(self) -> str:
        """The `datetime` attribute of a `time` element."""
        return f"{_utc(self.at):%Y-%m-%dT%H:%M:%SZ}"

    @property
    def exact(self) -> str:
        """The same, with milliseconds."""
        return _utc(self.at).isoformat(timespec="milliseconds")

    @property
    def utc(self) -> str:
        """In full."""
        return f"{_utc(self.at):%Y-%m-%d %H:%M:%S} UTC"

    @property
    def age(self) -> str:
        return span((self.now // 1000 - self.at // 1000) * 1000)

    @property
    def ago(self) -> str:
        return f"{self.age} ago"

    @property
    def clock(self) -> str:
        """The time of day, with its date unless that is today."""
        at = _utc(self.at)
        return f"{at:%H:%M:%S}" if at.date() == _utc(self.now).date() else f"{at:%Y-%m-%d %H:%M:%S}"

    @property
    def since(self) -> str:
        return f"{self.clock}, for {self.age}"


def _utc(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
