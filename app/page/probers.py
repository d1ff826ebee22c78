"""Who asks for the service's health, as rows of a table. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from app.health.formats import distance
from app.page.times import Moment

SHOWN = 10


class Prober(NamedTuple):
    kind: str
    product: str
    address: str
    route: str
    period: str
    requests: int
    first: Moment
    seen: Moment
    status: str
    gave_up: str


class Probers(NamedTuple):
    """The rows that are shown, and how many more there are."""

    shown: list[Prober]
    more: int


def probers(facts: Iterable[Mapping[str, Any]], now: int) -> Probers:
    """Those that give up first, then the busiest; in an order that changes little from one update to the next."""
    ordered = sorted(facts, key=lambda each: (not each["abandoned"], -each["count"], each["address"], each["route"]))
    rows = [_prober(each, now) for each in ordered[:SHOWN]]
    return Probers(rows, len(ordered) - len(rows))


def _prober(facts: Mapping[str, Any], now: int) -> Prober:
    return Prober(
        kind=facts["kind"],
        product=facts["product"] or "",
        address=facts["address"],
        route=facts["route"],
        period="" if facts["period_ms"] is None else f"every {distance(facts['period_ms'])}",
        requests=facts["count"],
        first=Moment(facts["first_seen"], now),
        seen=Moment(facts["last_seen"], now),
        status="" if facts["last_status"] is None else str(facts["last_status"]),
        gave_up=_gave_up(facts["abandoned"], facts["abandoned_after_ms"]),
    )


def _gave_up(abandoned: int | None, after_ms: int | None) -> str:
    """Empty if never, or if it cannot be seen."""
    if not abandoned:
        return ""
    times = "once" if abandoned == 1 else f"{abandoned} times"
    return times if after_ms is None else f"{times}, after {distance(after_ms)}"
