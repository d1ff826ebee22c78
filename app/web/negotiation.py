"""Which of several formats a request asks for (RFC 9110, 12.5.1), without ever refusing it."""

from collections.abc import Sequence

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

LONGEST = 1024


def chosen(accept: str, offered: Sequence[str]) -> str:
    """The media type of `offered` that an Accept header asks for; the first one in doubt.

    The first is what any wildcard stands for; another one is chosen only where it is named. Quality decides, then
    whether it is named, then the order of `offered`. A header that is longer than any that a client needs is ignored.
    """
    default, *_ = offered
    if not accept or len(accept) > LONGEST:
        return default
    parsed = parse_accept_header(accept, MIMEAccept)
    named = {value.partition(";")[0].strip().lower(): quality for value, quality in reversed(list(parsed))}
    ranked = [(named[offer], 1) if offer in named else (0.0, 0) for offer in offered]
    if default not in named:
        main = default.partition("/")[0]
        ranked[0] = max(((named[each], 0) for each in ("*/*", f"{main}/*") if each in named), default=(0.0, 0))
    best = max(range(len(offered)), key=lambda position: (ranked[position], -position))
    return offered[best] if ranked[best][0] > 0 else default
