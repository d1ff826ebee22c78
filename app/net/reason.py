"""Why something cannot be reached, in one word."""

import socket
import ssl
from collections.abc import Iterator
from enum import StrEnum
from errno import EACCES, EHOSTDOWN, EHOSTUNREACH, ENETDOWN, ENETUNREACH, ENOENT, EPERM

# A Unix socket that does not exist, or that may not be opened, is as far away as a host without a route.
UNREACHABLE_ERRNOS = frozenset({EHOSTDOWN, EHOSTUNREACH, ENETDOWN, ENETUNREACH, ENOENT, EACCES, EPERM})


class Reason(StrEnum):
    """Why a peer is disconnected: a closed list, safe to show to anyone."""

    PENDING = "pending"
    STALE = "stale"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    CLOSED = "closed"
    UNREACHABLE = "unreachable"
    DNS = "dns"
    TLS = "tls"
    AUTH = "auth"
    NO_PRIMARY = "no_primary"
    HTTP_STATUS = "http_status"
    REDIRECT = "redirect"
    PROTOCOL = "protocol"
    ERROR = "error"


def reason_of(error: BaseException) -> Reason | None:
    """The word for one exception of a socket, of TLS or of a name look-up; None for any other."""
    match error:
        case socket.gaierror():
            return Reason.DNS
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return Reason.CLOSED
        case TimeoutError():
            return Reason.TIMEOUT
        case ssl.SSLError():
            return Reason.TLS
        case ConnectionRefusedError():
            return Reason.REFUSED
        case ConnectionError():
            return Reason.CLOSED
        case OSError(errno=errno) if errno in UNREACHABLE_ERRNOS:
            return Reason.UNREACHABLE
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """`error`, then what caused it, and so on to the root."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
