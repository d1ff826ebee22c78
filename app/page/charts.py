"""Charts of a dependency's record, as SVG paths and in words. Pure. All coordinates are whole numbers."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from app.health.record import CONNECTED, HISTORY, Change, CheckEntry

SPARK_HEIGHT = 100
STRIP_WIDTH = 1000
STRIP_HEIGHT = 16
STRIP_UP = 5
"""The upper edge of a connected period: a thin line, so that the disconnected ones stand out."""
THINNEST = 4
WINDOW_MS = 24 * 60 * 60 * 1000


class Sparkline(NamedTuple):
    """Paths in a box of HISTORY - 1 by SPARK_HEIGHT, the newest check at the right: latency, and failed checks."""

    line: str
    failed: str


class Timeline(NamedTuple):
    """Paths in a box of STRIP_WIDTH by STRIP_HEIGHT for the periods from `since` to now; times in milliseconds."""

    up: str
    down: str
    since: int
    downs: int
    down_ms: int


def sparkline(history: Sequence[CheckEntry]) -> Sparkline:
    """The latency of each successful check, scaled to the slowest; a failed check is a gap and a mark."""
    slowest = max((each.latency_ms for each in history if each.status == CONNECTED), default=0) or 1
    line, failed, gap = "", "", True
    for x, each in enumerate(history, HISTORY - len(history)):
        if each.status == CONNECTED:
            y = SPARK_HEIGHT - round(SPARK_HEIGHT * each.latency_ms / slowest)
            line += f"M{x} {y}h0" if gap else f"L{x} {y}"
            gap = False
        else:
            failed += f"M{x} 0V{SPARK_HEIGHT}"
            gap = True
    return Sparkline(line, failed)


def timeline(changes: Sequence[Change], now: int) -> Timeline:
    """The periods between changes, as far back as the changes go, at most a day."""
    since = max(changes[0].at if changes else now, now - WINDOW_MS)
    length = max(1, now - since)
    up, down, downs, down_ms, before = "", "", 0, 0, None
    for change, following in pairwise([*changes, Change(now, CONNECTED, None)]):
        begin, end = max(change.at, since), min(following.at, now)
        if end <= since and following.at != now:
            continue  # over before the window begins
        left, right = (round(STRIP_WIDTH * (at - since) / length) for at in (begin, end))
        if change.status == CONNECTED:
            up += _box(left, right, STRIP_UP)
        else:
            left = min(left, STRIP_WIDTH - THINNEST)
            down += _box(left, max(right, left + THINNEST), 0)
            downs += before != change.status
            down_ms += max(0, end - begin)
        before = change.status
    return Timeline(up, down, since, downs, down_ms)


def _box(left: int, right: int, top: int) -> str:
    return f"M{left} {top}H{right}V{STRIP_HEIGHT - top}H{left}z"
