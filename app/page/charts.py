"""The chart of a dependency's record, as SVG paths. Pure. All coordinates are whole numbers, so that a path is short."""

from collections.abc import Sequence
from itertools import chain, groupby, repeat
from typing import NamedTuple

from app.health.record import CONNECTED, HISTORY, Change, CheckEntry

HEIGHT = 24
MIDDLE = HEIGHT // 2
STEP = 5
"""From one check to the next; the latest of HISTORY checks is at (HISTORY - 1) * STEP."""
STRIP, END = 340, 1000
THINNEST = 4
WINDOW_MS = 24 * 60 * 60 * 1000

Bar = tuple[int, int]
"""Its left and right end."""


class Period(NamedTuple):
    """A time of one status, from `begin` to `end` (Unix milliseconds)."""

    begin: int
    end: int
    connected: bool


class Chart(NamedTuple):
    """Paths in a box of END by HEIGHT: left of STRIP the last checks, right of it the periods of the last hours.

    `line` is the latency of the checks that succeeded, `up` the time about which something is known, and `down`, drawn
    over it, the checks that failed and the time disconnected.
    """

    line: str
    up: str
    down: str


def periods(changes: Sequence[Change], now: int) -> list[Period]:
    """The periods between changes of the status, the oldest first, up to now."""
    turns = [next(same) for _, same in groupby(changes, key=lambda change: change.status)]
    ends = [*(turn.at for turn in turns), now][1:]
    return [Period(turn.at, max(turn.at, end), turn.status == CONNECTED) for turn, end in zip(turns, ends, strict=True)]


def window(started: int, now: int) -> int:
    """When the periods of every chart begin: with the process, but at most a day ago."""
    return max(started, now - WINDOW_MS)


def chart(history: Sequence[CheckEntry], known: Sequence[Period], begin: int, now: int) -> Chart:
    """The chart of the last checks, and of the periods from `begin` to `now`."""

    def place(at: int) -> int:
        return STRIP + round((END - STRIP) * (min(max(at, begin), now) - begin) / max(1, now - begin))

    bars: list[Bar] = []
    line = _checks(history, bars)
    for period in known:
        if not period.connected and period.end >= begin:
            left = min(place(period.begin), END - THINNEST)
            _add(bars, left, max(place(period.end), left + THINNEST))
    up = f"M{min(place(known[0].begin), END - THINNEST)} {MIDDLE}H{END}" if known else ""
    return Chart(line, up, _path(bars))


def _checks(history: Sequence[CheckEntry], bars: list[Bar]) -> str:
    """A line through the latencies, scaled to the slowest. A check that failed is a gap, and added to the bars.

    One that succeeded between two that failed is only the space between their bars.
    """
    slowest = max((each.latency_ms for each in history if each.status == CONNECTED), default=0) or 1
    line, pen = "", (0, 0)
    checks = enumerate(history, HISTORY - len(history))
    for connected, run in groupby(checks, key=lambda check: check[1].status == CONNECTED):
        points = [(index * STEP, HEIGHT - round(HEIGHT * each.latency_ms / slowest)) for index, each in run]
        if not connected:
            for x, _ in points:
                _add(bars, max(0, x - 3), x + 2)
        elif len(points) > 1:
            for command, (x, y) in zip(chain("m", repeat("l")), points, strict=False):
                line += command + f"{x - pen[0]} {y - pen[1]}".replace(" -", "-")
                pen = x, y
    return line


def _add(bars: list[Bar], left: int, right: int) -> None:
    """Bars too close to be told apart are one."""
    bars.append((bars.pop()[0] if bars and left <= bars[-1][1] else left, right))


def _path(bars: Sequence[Bar]) -> str:
    """Relative, which is shorter."""
    path, pen = "", None
    for left, right in bars:
        path += f"M{left} {MIDDLE}h{right - left}" if pen is None else f"m{left - pen} 0h{right - left}"
        pen = right
    return path
