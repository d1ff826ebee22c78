"""Records as SVG paths for the page. Pure; static/charts.js draws the same. All coordinates are whole numbers."""

from itertools import pairwise
from math import floor
from typing import Any, NamedTuple

from app.health.record import CONNECTED, HISTORY

SPARK_HEIGHT = 100
STRIP_WIDTH = 1000
STRIP_HEIGHT = 16
STRIP_UP = 5
"""Where a period of being connected begins, seen from above: it is a thin line, the others stand out."""
THINNEST = 4
WINDOW_MS = 24 * 60 * 60 * 1000


class Sparkline(NamedTuple):
    """Paths in a box of HISTORY - 1 by SPARK_HEIGHT, newest check at the right: latency, and failed checks."""

    line: str
    failed: str


class Timeline(NamedTuple):
    """Paths in a box of STRIP_WIDTH by STRIP_HEIGHT for the periods from `since` to now; times in milliseconds."""

    up: str
    down: str
    since: int
    downs: int
    down_ms: int


def sparkline(history: list[dict[str, Any]]) -> Sparkline:
    """The latency of each connected check, from zero up to the slowest; a gap and a mark where one failed."""
    slowest = max((each["latency_ms"] for each in history if each["status"] == CONNECTED), default=0) or 1
    line, failed, gap = "", "", True
    for x, each in enumerate(history, HISTORY - len(history)):
        if each["status"] == CONNECTED:
            y = SPARK_HEIGHT - _whole(SPARK_HEIGHT * each["latency_ms"] / slowest)
            line += f"M{x} {y}h0" if gap else f"L{x} {y}"
            gap = False
        else:
            failed += f"M{x} 0V{SPARK_HEIGHT}"
            gap = True
    return Sparkline(line, failed)


def timeline(changes: list[dict[str, Any]], now: int) -> Timeline:
    """The periods that lie between changes, as far as these reach back, a day at most."""
    since = max(changes[0]["at"] if changes else now, now - WINDOW_MS)
    length = max(1, now - since)
    up, down, downs, down_ms, before = "", "", 0, 0, None
    for this, following in pairwise([*changes, {"at": now}]):
        begin, end = max(this["at"], since), min(following["at"], now)
        if end <= since and following["at"] != now:
            continue
        left, right = (_whole(STRIP_WIDTH * (at - since) / length) for at in (begin, end))
        if this["status"] == CONNECTED:
            up += _box(left, right, STRIP_UP)
        else:
            left = min(left, STRIP_WIDTH - THINNEST)
            down += _box(left, max(right, left + THINNEST), 0)
            downs += before != this["status"]
            down_ms += max(0, end - begin)
        before = this["status"]
    return Timeline(up, down, since, downs, down_ms)


def _box(left: int, right: int, top: int) -> str:
    return f"M{left} {top}H{right}V{STRIP_HEIGHT - top}H{left}z"


def _whole(value: float) -> int:
    """Rounded as JavaScript rounds."""
    return floor(value + 0.5)
