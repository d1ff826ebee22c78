"""What no log line holds: a secret, a part of one, or more bytes than there is room for."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

USERINFO = re.compile(r"(?<=://)[^/\s]+@")
# What a cut through a URL's userinfo leaves of it: at the end of the piece before the cut, and at the beginning of the
# piece behind it.
CUT_BEFORE_AT_SIGN = re.compile(r"(?<=://)[^/\s]*\Z")
CUT_BEHIND_SCHEME = re.compile(r"\A/{0,2}[^/\s]*@")
SHORTEST_SECRET = 4
# Bytes for a character: an escape in JSON for one beyond U+FFFF has 12, and replaced userinfo adds at most two fifths.
WIDEST = 17
NOTE = " [... cut out of %d characters ...] "


class Redactor:
    """Removes secrets from text: the given ones, also as `repr` shows them, and the userinfo of any URL.

    A given secret of fewer than SHORTEST_SECRET characters would blot out half of every line; of those, only what
    stands in a URL is removed.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        long = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
        forms = sorted({*long, *(repr(secret)[1:-1] for secret in long)}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, forms))) if forms else None
        # The longest part of a secret at a cut. Twice, because replacing userinfo can lengthen what is around it.
        self._margin = 2 * len(forms[0]) if forms else 0

    def __call__(self, text: str) -> str:
        if self._secrets:
            text = self._secrets.sub("***", text)
        return USERINFO.sub("***@", text)

    def fit(self, texts: Sequence[str], room: int, width: Callable[[str], int]) -> list[str]:
        """The texts without secrets, those that are too long without their middle; together at most `room` bytes.

        `width` returns how many bytes a text fills in the line, which is the sum over its characters. Each text but
        the last gets at most half of the room that is left. Costs time in proportion to `room`, not to the texts.
        """
        if WIDEST * sum(map(len, texts)) <= room:  # nearly always, and there is nothing to measure
            return [*map(self, texts)]
        fitted = []
        for index, text in enumerate(texts, 1):
            fitted.append(self._fit(text, room if index == len(texts) else room // 2, width))
            room -= width(fitted[-1])
        return fitted

    def _fit(self, text: str, room: int, width: Callable[[str], int]) -> str:
        if len(text) <= room:
            beginning = end = self(text)
            if width(beginning) <= room:
                return beginning
        else:
            # Enough for the line and for a secret that the cut goes through, of which the margin leaves nothing.
            size = room // 2 + self._margin + 1
            beginning = CUT_BEFORE_AT_SIGN.sub("***", self(text[:size]))
            beginning = beginning[: max(0, len(beginning) - self._margin)]
            end = CUT_BEHIND_SCHEME.sub("***@", self(text[-size:]))[self._margin :]
        note = (NOTE % len(text))[:room]
        half = (room - len(note)) // 2
        return _start(beginning, half, width) + note + _start(end[::-1], half, width)[::-1]


def _start(text: str, room: int, width: Callable[[str], int]) -> str:
    widths = {character: width(character) for character in set(text)}
    return text[: bisect_right(list(accumulate(map(widths.__getitem__, text))), room)]
