"""The chart of a dependency's record, as SVG paths. Pure. All coordinates are whole numbers, so that a path is short."""

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from app.health.record import CONNECTED, HISTORY, Change, CheckEntry

HEIGHT = 24
MIDDLE = HEIGHT // 2
STEP = 5
"""From one check to the next; the latest of HISTORY checks is at (HISTORY - 1) * STEP."""
STRIP, END = 340, 1000
THINNEST = 4
WINDOW_MS = 24 * 60 * 60 * 1000


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
    line, failed = _checks(history)

    def place(at: int) -> int:
        return STRIP + round((END - STRIP) * (min(max(at, begin), now) - begin) / max(1, now - begin))

    up = f"M{min(place(known[0].begin), END - THINNEST)} {MIDDLE}H{END}" if known else ""
    bars: list[tuple[int, int]] = []
    for period in known:
        if not period.connected and period.end >= begin:
            left = min(place(period.begin), END - THINNEST)
            right = max(place(period.end), left + THINNEST)
            # Outages too close to be told apart are one bar.
            bars.append((bars.pop()[0] if bars and left <= bars[-1][1] else left, right))
    return Chart(line, up, failed + "".join(_bar(*bar) for bar in bars))


def _checks(history: Sequence[CheckEntry]) -> tuple[str, str]:
    """The latency of each check that succeeded, scaled to the slowest, and bars for those that failed."""
    slowest = max((each.latency_ms for each in history if each.status == CONNECTED), default=0) or 1
    line, failed, index = "", "", HISTORY - len(history)
    for status, same in groupby(history, key=lambda each: each.status):
        run = [HEIGHT - round(HEIGHT * each.latency_ms / slowest) for each in same]
        if status == CONNECTED:
            steps = " ".join(f"{STEP} {y - before}" for before, y in pairwise(run)).replace(" -", "-")
            line += f"M{index * STEP} {run[0]}" + (f"l{steps}" if steps else "h0")
        else:
            failed += _bar(max(0, index * STEP - 2), (index + len(run)) * STEP - 3)
        index += len(run)
    return line, failed


def _bar(left: int, right: int) -> str:
    return f"M{left} {MIDDLE}H{right}"
