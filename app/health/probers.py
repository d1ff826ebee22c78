"""The probers: how often each asks, and how often it gives up, in a table that stays small whatever strangers send."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import count, pairwise
from statistics import median
from typing import Any, NamedTuple

from app.health.prober_kinds import kind_of
from app.net.clock import clock as default_clock
from app.tally import Tally

MOST_PROBERS = 64
DISTANCES = 16
FLOOD_RATE = 50.0  # requests a second
FLOOD_SECONDS = 60.0
# A flood lasts as long as each of these parts of it is busy, so that a burst is not spread over a whole minute.
PART_SECONDS = 10.0
# A client that ends its side so soon has not lost patience: it has piped its request (`printf … | nc`), and reads on.
PIPED_SECONDS = 0.1


class Prober:
    """Counts the requests of one prober: those for one route, from one address, with one product.

    The first of them creates it. Any thread may count; moments are of the table's clock. When it is evicted from the
    table, its `product` becomes EVICTED, which no request has, so a connection that remembers it looks it up anew.
    """

    EVICTED = ""  # unlike the product of a request, which is None if it is empty

    __slots__ = (
        "_busy_count",
        "_busy_since",
        "_lock",
        "_number",
        "_part_count",
        "_part_ends",
        "abandoned",
        "abandoned_after",
        "count",
        "first",
        "last_status",
        "moments",
        "product",
        "route",
    )

    def __init__(self, product: str | None, route: str, now: float, lock: threading.Lock) -> None:
        self.product = product
        self.route = route
        self.first = now
        self.count = 1
        self.moments: deque[float] = deque(maxlen=DISTANCES + 1)
        self.last_status: int | None = None
        self.abandoned = 0
        self.abandoned_after: float | None = None
        self._number = count(1).__next__
        self._lock = lock  # the table's
        # The first request begins the first part, and is not counted in it.
        self._busy_since, self._busy_count = now, 1
        self._part_ends, self._part_count = now + PART_SECONDS, 1

    @property
    def last(self) -> float:
        """When it was seen last."""
        return self.moments[-1] if self.moments else self.first

    def asked(self, now: float) -> None:
        """Count a request. Each step is a single one of the interpreter's: a lock would cost the lane 1 % (bin/bench)."""
        self.count = self._number()
        self.moments.append(now)
        if now >= self._part_ends:
            self._end_part(now)

    def flood_rate(self, now: float) -> float:
        """Requests a second in a flood that has lasted for FLOOD_SECONDS at least; 0 if there is none."""
        with self._lock:
            lasted = self._part_ends - PART_SECONDS - self._busy_since
            counted = self._part_count - self._busy_count
        return counted / lasted if lasted >= FLOOD_SECONDS and now - self.last <= PART_SECONDS else 0.0

    def _end_part(self, now: float) -> None:
        with self._lock:
            elapsed = now - self._part_ends + PART_SECONDS
            if elapsed < PART_SECONDS:
                return  # another thread has just ended it
            if self.count - self._part_count <= FLOOD_RATE * elapsed:
                self._busy_since, self._busy_count = now, self.count
            self._part_ends, self._part_count = now + PART_SECONDS, self.count


class Asked(NamedTuple):
    """A request under way, and when it arrived."""

    prober: Prober
    at: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What the details show of one prober. `known_seconds`, since it was first seen, and `flood_rate` are not shown."""

    address: str
    product: str | None
    kind: str
    route: str
    first_seen: int
    last_seen: int
    count: int
    period_ms: float | None
    last_status: int | None
    abandoned: int | None
    abandoned_after_ms: int | None
    known_seconds: float
    flood_rate: float

    def facts(self) -> dict[str, Any]:
        """As in `/health/details`; times in Unix milliseconds."""
        shown = asdict(self)
        del shown["known_seconds"], shown["flood_rate"]
        return shown


class Probers:
    """The probers seen, at most MOST_PROBERS: the one least recently seen makes room.

    `routes` are those that are counted. `sees_abandonment` is set by a server that can see it. `abandoned` counts, by
    route, the requests that were.
    """

    def __init__(
        self, routes: Iterable[str], clock: Callable[[], float] = default_clock, wall: Callable[[], float] = time.time
    ) -> None:
        self.sees_abandonment = False
        self.abandoned = Tally(routes)
        self.clock = clock
        self._wall = wall
        self._lock = threading.Lock()  # guards the two below, and what each prober knows of floods and abandonment
        self._table: dict[tuple[str, str | None, str], Prober] = {}
        self._asked: set[str] = set()

    def find(self, address: str, product: str | None, route: str) -> Prober:
        """The prober with these three, a new one if there was none. Product and address are bounded by the caller."""
        key = address, product, route
        with self._lock:
            prober = self._table.get(key)
            if prober is None:
                if len(self._table) >= MOST_PROBERS:
                    oldest = min(self._table, key=lambda each: self._table[each].last)
                    self._table.pop(oldest).product = Prober.EVICTED
                prober = self._table[key] = Prober(product, route, self.clock(), self._lock)
                self._asked.add(route)
        return prober

    def ask(self, address: str, product: str | None, route: str) -> Asked:
        """Count a request that has arrived."""
        asked = Asked(self.find(address, product, route), self.clock())
        asked.prober.asked(asked.at)
        return asked

    def gave_up(self, prober: Prober, after: float | None) -> None:
        """Count a request that was abandoned `after` these seconds; None if it was noticed too late to say."""
        with self._lock:
            prober.abandoned += 1
            prober.last_status = None
            if after is not None:
                prober.abandoned_after = min(after, prober.abandoned_after or after)
        self.abandoned.count(prober.route)

    def has_been_asked(self, route: str) -> bool:
        """Whether anything has asked for `route` since the start."""
        with self._lock:
            return route in self._asked

    def seen(self) -> list[Seen]:
        """Everything known of each prober, the one most recently seen first."""
        now, wall = self.clock(), self._wall()
        with self._lock:
            table = [*self._table.items()]
        seen = [self._seen(*key, prober, now, wall) for key, prober in table]
        return sorted(seen, key=lambda each: each.last_seen, reverse=True)

    def _seen(self, address: str, product: str | None, route: str, prober: Prober, now: float, wall: float) -> Seen:
        distances = [later - earlier for earlier, later in pairwise([*prober.moments])]
        after = prober.abandoned_after
        return Seen(
            address,
            product,
            kind_of(product),
            route,
            first_seen=int((wall - now + prober.first) * 1000),
            last_seen=int((wall - now + prober.last) * 1000),
            count=prober.count,
            period_ms=round(median(distances) * 1000, 1) if distances else None,
            last_status=prober.last_status,
            abandoned=prober.abandoned if self.sees_abandonment else None,
            abandoned_after_ms=None if after is None else round(after * 1000),
            known_seconds=now - prober.first,
            flood_rate=prober.flood_rate(now),
        )
