"""Why MongoDB cannot be used: what the driver's errors mean, and what only a second look can tell."""

import re
import socket
import ssl
from collections.abc import Mapping
from typing import Any

import dns.exception
from bson.errors import BSONError
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ProtocolError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)

from app.net.deadline import Deadline
from app.net.reason import NO_CERTIFICATE_FILE, NO_NAME_SERVER, Cause, Reason, cause_of
from app.net.resolver import Resolver
from app.net.tls import refused_at, unverified_context

# AuthenticationFailed, Unauthorized, UserNotFound, and Atlas' own
AUTH_CODES = frozenset({18, 13, 11, 8000})
CLOSED = Cause(Reason.CLOSED, "connection closed without an answer")
NOT_MONGODB = Cause(Reason.PROTOCOL, "not an answer of MongoDB")
# What OpenSSL's verification found, in its words.
CERTIFICATES = (
    ("has expired", "certificate expired"),
    ("not yet valid", "certificate is not valid yet"),
    ("self-signed", "certificate is self-signed"),
    ("self signed", "certificate is self-signed"),
    ("unable to get", "certificate is signed by an unknown authority"),
    ("Hostname mismatch", "certificate is for another name"),
    ("IP address mismatch", "certificate is for another address"),
)


def driver_cause(error: BaseException) -> Cause | None:
    """The cause for one exception of the driver; None for any other."""
    match error:
        case OperationFailure(code=code) if code in AUTH_CODES:
            return Cause(Reason.AUTH, "user or password refused")
        case ConfigurationError() if str(error).startswith("Private key"):  # or a file that holds no certificate
            return NO_CERTIFICATE_FILE
        case NotPrimaryError():
            return Cause(Reason.NO_PRIMARY, "no primary in the replica set")
        case NetworkTimeout() | ExecutionTimeout() | ServerSelectionTimeoutError() | WaitQueueTimeoutError():
            return Cause(Reason.TIMEOUT, "no answer in time")
        case OperationFailure(code=int(code)):
            return Cause(Reason.ERROR, f"answered with error {code}")
        case AutoReconnect():
            return _cause_in(str(error))
        case dns.exception.Timeout():
            return NO_NAME_SERVER
        case dns.exception.DNSException() | UnicodeError():  # UnicodeError: a name that DNS could not carry
            return Cause(Reason.DNS, "name not found")
        case ProtocolError() | BSONError():
            return NOT_MONGODB
        case TypeError() | ValueError() | LookupError() | AttributeError():  # of an answer's types, it checks none
            return NOT_MONGODB
    return None


def _cause_in(text: str) -> Cause:
    """The cause of a connection that was lost or not made: a monitor strips it off, only the text has it."""
    if "EOF occurred in violation of protocol" in text:
        return CLOSED
    if "[SSL: " in text:
        details = (detail for words, detail in CERTIFICATES if words in text)
        return Cause(Reason.TLS, next(details, "TLS handshake failed"))
    if (number := re.search(r"\[Errno (-?\d+)\]", text)) is None:
        return CLOSED
    code = int(number[1])
    cause = cause_of(socket.gaierror(code, text) if code < 0 else OSError(code, text))
    return cause or Cause(Reason.ERROR, "unexpected error, see the log")


def certificate_refused(
    address: tuple[str, int | None], options: Mapping[str, Any], deadline: Deadline, resolver: Resolver
) -> bool:
    """Whether a TLS server refuses our certificate, or its absence (see refuses_us). `options` are those of the URI."""
    host, port = address

    def context() -> ssl.SSLContext:
        made = unverified_context()  # the driver has verified the server
        if certificate := options.get("tlsCertificateKeyFile"):
            made.load_cert_chain(certificate, password=options.get("tlsCertificateKeyFilePassword"))
        return made

    return refused_at(host, port or 0, deadline, resolver, context=context)
