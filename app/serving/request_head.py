"""Which bytes are an exact probe request, and which are enough for gunicorn's parser to decide on.

Pure functions of the bytes read so far. What is in doubt is no probe request: it takes the ordinary way.
"""

import re
from functools import lru_cache
from typing import NamedTuple

# A probe's head is far smaller than either.
LARGEST_PROBE = 2048
MOST_FIELDS = 32
REMEMBERED = 256

END = b"\r\n\r\n"
PROBE_LINE = re.compile(rb"(GET|HEAD) (/health(?:/live|/ready)?) HTTP/1\.([01])")
FIELD = re.compile(rb"([A-Za-z0-9-]+):[ \t]*([\t\x20-\x7e]*?)[ \t]*")
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
# What gunicorn's parser does not even wait for the rest of the head to refuse.
REQUEST_LINE = re.compile(rb"[^ ]* [^ ]* HTTP/[0-9]\.[0-9]")


class ProbeRequest(NamedTuple):
    """A request that the lane may answer; `minor` is the version's last digit."""

    path: str
    head_only: bool
    minor: int
    keep_alive: bool


def recognise(data: bytes) -> ProbeRequest | None:
    """The probe request that `data` is, exactly and with nothing behind it; None if it is anything else."""
    return _recognise(data) if len(data) <= LARGEST_PROBE and data.endswith(END) else None


@lru_cache(maxsize=REMEMBERED)
def _recognise(data: bytes) -> ProbeRequest | None:
    """Remembered, because a checker sends the same bytes each time."""
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
    connection = values.get(b"connection", b"").lower()
    keep_alive = {b"": minor == 1, b"keep-alive": True, b"close": False}.get(connection)
    if keep_alive is None:
        return None
    return ProbeRequest(asked[2].decode(), asked[1] == b"HEAD", minor, keep_alive)


def _values(fields: list[bytes]) -> dict[bytes, bytes] | None:
    """The header fields by name in lower case; None if one is twice there, in doubt, or not for the lane."""
    values: dict[bytes, bytes] = {}
    for field in fields:
        parts = FIELD.fullmatch(field)
        if parts is None:
            return None
        name = parts[1].lower()
        if name in values or name in ORDINARY_FIELDS:
            return None
        values[name] = parts[2]
    return values


def decidable(data: bytes) -> bool:
    """Whether gunicorn's parser needs no byte more to take the request's head, or to refuse it.

    So it is with a whole head; with a line that does not end in CRLF (RFC 9112, 2.2), and with a first line
    that is no request line, HTTP/0.9's for instance.
    """
    if END in data:
        return True
    if data.count(b"\n") != data.count(b"\r\n"):
        return True
    # One empty line before the request line is passed over (RFC 9112, 2.2).
    line, ended, _ = data.removeprefix(b"\r\n").partition(b"\r\n")
    return bool(ended) and REQUEST_LINE.fullmatch(line) is None
