"""Why something cannot be reached: one word, and a few safe ones."""

import socket
import ssl
from collections.abc import Iterator
from enum import StrEnum
from errno import (
    EACCES,
    EADDRNOTAVAIL,
    EAFNOSUPPORT,
    EHOSTDOWN,
    EHOSTUNREACH,
    EMFILE,
    ENETDOWN,
    ENETUNREACH,
    ENFILE,
    ENOENT,
    EPERM,
)
from typing import NamedTuple

NO_ROUTE = frozenset({EHOSTDOWN, EHOSTUNREACH, ENETDOWN, ENETUNREACH})
# What OpenSSL's verification found, by its number (X509_V_ERR_…, openssl-verification-options(1)).
CERTIFICATES = {
    9: "certificate is not valid yet",
    10: "certificate expired",
    18: "certificate is self-signed",
    19: "certificate is signed by an unknown authority",
    20: "certificate is signed by an unknown authority",
    21: "certificate is signed by an unknown authority",
    62: "certificate is for another name",
    64: "certificate is for another address",
}


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
    CONTENT = "content"
    PROTOCOL = "protocol"
    ERROR = "error"


MOST_TELLING = (
    Reason.NO_PRIMARY,
    Reason.AUTH,
    Reason.PROTOCOL,
    Reason.TLS,
    Reason.CLOSED,
    Reason.REFUSED,
    Reason.TIMEOUT,
    Reason.UNREACHABLE,
    Reason.DNS,
    Reason.ERROR,
)
"""The further an attempt got with one of several peers, the more specific its error is: this order decides."""


class Cause(NamedTuple):
    """A reason, and a detail of at most 120 characters: our own words, never an exception's, never an address."""

    reason: Reason
    detail: str


NO_NAME_SERVER = Cause(Reason.DNS, "the name server did not answer")
CERTIFICATE_REFUSED = Cause(Reason.TLS, "the peer refused our certificate, or its absence")
NOT_TLS = Cause(Reason.TLS, "the peer does not speak TLS")
NO_SOCKET = Cause(Reason.UNREACHABLE, "no such socket")
NO_PERMISSION = Cause(Reason.UNREACHABLE, "no permission to connect")
NO_AUTHORITIES = Cause(Reason.TLS, "the file of authorities cannot be read")
NO_CERTIFICATE_FILE = Cause(Reason.TLS, "a certificate file cannot be read")
NO_DESCRIPTOR = Cause(Reason.ERROR, "this service has no file descriptor left")


class FileUnreadable(OSError):
    """A file of certificates cannot be read. Without a word of its own, it would look like a missing Unix socket."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.detail)
        self.cause = cause


def cause_of(error: BaseException) -> Cause | None:
    """The cause for one exception of a socket, of TLS or of a name look-up; None for any other."""
    match error:
        case FileUnreadable(cause=cause):
            return cause
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return NO_NAME_SERVER
        case socket.gaierror():
            return Cause(Reason.DNS, "name not found")
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return Cause(Reason.CLOSED, "connection closed without an answer")
        case TimeoutError():
            return Cause(Reason.TIMEOUT, "no answer in time")
        case ssl.SSLCertVerificationError(verify_code=code):
            return Cause(Reason.TLS, CERTIFICATES.get(code, "certificate refused"))
        case ssl.SSLError(reason=str(words)) if "ALERT" in words and ("CERT" in words or "UNKNOWN_CA" in words):
            return CERTIFICATE_REFUSED
        case ssl.SSLError(reason=str(words)) if words in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
            return NOT_TLS
        case ssl.SSLError():
            return Cause(Reason.TLS, "TLS handshake failed")
        case ConnectionRefusedError():
            return Cause(Reason.REFUSED, "connection refused")
        case ConnectionError():
            return Cause(Reason.CLOSED, "connection closed without an answer")
        case OSError(errno=errno) if errno in NO_ROUTE:
            return Cause(Reason.UNREACHABLE, "no route to the host")
        case OSError(errno=errno) if errno in (EADDRNOTAVAIL, EAFNOSUPPORT):  # a machine without IPv6, for one
            return Cause(Reason.UNREACHABLE, "no local address to connect from")
        # A Unix socket that does not exist, or that may not be opened, is as far away as a host without a route.
        case OSError(errno=errno) if errno == ENOENT:
            return NO_SOCKET
        case OSError(errno=errno) if errno in (EACCES, EPERM):
            return NO_PERMISSION
        case OSError(errno=errno) if errno in (EMFILE, ENFILE):
            return NO_DESCRIPTOR
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """`error`, then what caused it, and so on to the root."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
