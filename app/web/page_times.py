"""Times as the page shows them until a script puts them into the reader's zone. Pure; static/times.js is the same."""

from datetime import UTC, datetime
from typing import NamedTuple

UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class Moment(NamedTuple):
    """A moment for a `time` element: its `datetime`, its `title`, and what it shows."""

    machine: str
    title: str
    text: str


def span(milliseconds: float) -> str:
    """A length of time in its two largest units: `5 s`, `3 min 5 s`, `2 h`, `4 d 3 h`. Never below zero."""
    seconds = max(0, int(milliseconds // 1000))
    size, unit = next((each for each in UNITS if seconds >= each[0]), UNITS[-1])
    below = UNITS.index((size, unit)) + 1
    text = f"{seconds // size} {unit}"
    if below < len(UNITS) and (rest := seconds % size // UNITS[below][0]):
        text += f" {rest} {UNITS[below][1]}"
    return text


def moment(at: int, now: int, form: str) -> Moment:
    """`at`, Unix milliseconds, seen from `now`.

    The form is `age` ("5 s"), `ago` ("5 s ago") or `clock` (the time of day, with its date if that is not today's).
    """
    when = datetime.fromtimestamp(at / 1000, UTC)
    age = span(now - at)
    if form == "clock":
        today = when.date() == datetime.fromtimestamp(now / 1000, UTC).date()
        text = f"{when:%H:%M:%S}" if today else f"{when:%Y-%m-%d %H:%M:%S}"
    else:
        text = age if form == "age" else f"{age} ago"
    machine = f"{when:%Y-%m-%dT%H:%M:%S}.{at % 1000:03}Z"
    return Moment(machine, f"{when:%Y-%m-%d %H:%M:%S} UTC", text)
