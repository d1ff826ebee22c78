"""Which bytes are an exact probe request, and which are enough for gunicorn's parser to decide on.

Pure functions of the bytes read so far, linear in their number: no expression here has neighbouring repeats that can
match the same byte. A request in doubt is not a probe: it goes the ordinary way.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from app.health.prober_kinds import product_of

# A probe's head is far smaller than either.
LARGEST_PROBE = 2048
MOST_FIELDS = 32
REMEMBERED = 256
# gunicorn refuses a longer request line.
LINE_BYTES = 8 * 1024

END = b"\r\n\r\n"
# Which paths are probes depends on the dependencies that are watched.
PROBE_LINE = re.compile(rb"(GET|HEAD) (/[a-z0-9_/]{1,64}) HTTP/1\.([01])")
FIELD = re.compile(rb"([A-Za-z0-9-]+):([\t\x20-\x7e]*)")
# What asks for JSON, and for no other format.
JSON = frozenset({b"*/*", b"application/json"})
HOST = re.compile(rb"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
# Those that change the answer, its framing, or how gunicorn reads the request.
ORDINARY_FIELDS = frozenset(
    {
        b"cache-control",
        b"content-length",
        b"content-type",
        b"expect",
        b"http2-settings",
        b"pragma",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"x-forwarded-proto",
        b"x-forwarded-protocol",
        b"x-forwarded-ssl",
    }
)
# gunicorn's parser refuses any other first line without waiting for the rest of the head.
REQUEST_LINE = re.compile(rb"[^ ]* [^ ]* HTTP/[0-9]\.[0-9]")


class ProbeRequest(NamedTuple):
    """A request that the lane may answer if its path is that of a probe; `minor` is the version's last digit.

    `product` is the first one of User-Agent, None if there is none.
    """

    path: str
    head_only: bool
    minor: int
    keep_alive: bool
    product: str | None = None


def recognise(data: bytes | bytearray) -> ProbeRequest | None:
    """The request in the form of a probe that `data` is, exactly and with nothing behind it; otherwise None."""
    return _recognise(bytes(data)) if len(data) <= LARGEST_PROBE and data.endswith(END) else None


@lru_cache(maxsize=REMEMBERED)
def _recognise(data: bytes) -> ProbeRequest | None:
    """Remembered, because a prober sends the same bytes each time: that saves 5 µs of a probe (bin/bench)."""
    line, *fields = data[: -len(END)].split(b"\r\n")
    asked = PROBE_LINE.fullmatch(line)
    if asked is None or len(fields) > MOST_FIELDS:
        return None
    values = _values(fields)
    if values is None:
        return None
    minor = int(asked[3])
    host = values.get(b"host")
    if not HOST.fullmatch(host) if host is not None else minor == 1:
        return None
    if values.get(b"accept", b"*/*") not in JSON:
        return None
    connection = values.get(b"connection", b"").lower()
    keep_alive = {b"": minor == 1, b"keep-alive": True, b"close": False}.get(connection)
    if keep_alive is None:
        return None
    product = product_of(values.get(b"user-agent", b"").decode())
    return ProbeRequest(asked[2].decode(), asked[1] == b"HEAD", minor, keep_alive, product)


def _values(fields: list[bytes]) -> dict[bytes, bytes] | None:
    """The header fields by name in lower case; None if one is repeated, in doubt, or not for the lane."""
    values: dict[bytes, bytes] = {}
    for field in fields:
        parts = FIELD.fullmatch(field)
        if parts is None:
            return None
        name = parts[1].lower()
        if name in values or name in ORDINARY_FIELDS:
            return None
        values[name] = parts[2].strip(b" \t")
    return values


def decidable(data: bytes | bytearray, judged: int = 0) -> bool:
    """Whether gunicorn's parser needs no byte more to accept the request's head, or to refuse it.

    It needs none for a whole head, for one with a line that does not end in CRLF (RFC 9112, 2.2), and for one whose
    first line is not a request line, HTTP/0.9's for instance. The first `judged` bytes were not enough: they are not
    looked at again, or a head that arrives byte by byte would cost the square of its length.
    """
    if data.find(END, max(0, judged - len(END) + 1)) >= 0:
        return True
    start = judged - data.endswith(b"\r", 0, judged)  # a CRLF may have arrived in two parts
    if data.count(b"\n", start) != data.count(b"\r\n", start):
        return True
    # One empty line before the request line is passed over (RFC 9112, 2.2).
    begin = 2 if data.startswith(b"\r\n") else 0
    end = data.find(b"\r\n", begin, begin + LINE_BYTES)
    return end >= 0 and end + 2 > judged and REQUEST_LINE.fullmatch(data, begin, end) is None
