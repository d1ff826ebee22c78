"""Which sentences fit a failure, by its step and its cause."""

from typing import NamedTuple

from app.checks.check import UNEXPECTED
from app.doctor import advice as a
from app.net.reason import (
    CERTIFICATE_REFUSED,
    NO_DESCRIPTOR,
    NO_NAME_SERVER,
    NO_PERMISSION,
    NO_SOCKET,
    NOT_TLS,
    Cause,
    Reason,
)

CREDENTIALS_REFUSED = Cause(Reason.AUTH, "credentials refused")


class Words(NamedTuple):
    """The words for a kind: its protocol, and what to write in the URL without and with TLS.

    `hint` follows "user and password must be percent-encoded": where else a mistake in the credentials may be.
    `credentials` is where to put them.
    """

    protocol: str
    plain: str
    secure: str
    hint: str = ""
    credentials: str = "`user:password@` before the host in the URL"


def judged(step: str, error: BaseException | None, cause: Cause, words: Words) -> a.Advice:
    """The most precise sentences for the `cause` for which `step` failed, and for the `error` behind it."""
    protocol = "TLS" if step == "tls" else words.protocol
    match cause.reason:
        case Reason.DNS if cause == NO_NAME_SERVER:
            return a.NAME_SERVER
        case Reason.TIMEOUT if step == "name":
            return a.NAME_SERVER
        case Reason.TIMEOUT if step in ("tls", "speak"):
            return a.SILENT.about(protocol=protocol)
        case Reason.TLS if cause == NOT_TLS:
            return a.NOT_TLS.about(plain=words.plain)
        case Reason.TLS if cause == CERTIFICATE_REFUSED:
            return a.CLIENT_CERTIFICATE
        # A detail may be matched by its words, which are our own (see Cause).
        case Reason.PROTOCOL if cause.detail.startswith("not a"):
            return a.OTHER_PROTOCOL.about(protocol=protocol)
        case Reason.AUTH if cause.detail.endswith(" refused"):
            return a.REFUSED.about(hint=words.hint)
        case Reason.ERROR if cause == NO_DESCRIPTOR or type(error) is RuntimeError:  # as of a thread that cannot start
            return a.EXHAUSTED
        case Reason.ERROR if cause == UNEXPECTED:
            return a.UNEXPECTED.about(error=type(error).__name__)
        case Reason.AUTH | Reason.ERROR:
            return a.REPORTED.about(detail=cause.detail)
        case Reason.UNREACHABLE if cause == NO_SOCKET:
            return a.NO_SOCKET
        case Reason.UNREACHABLE if cause == NO_PERMISSION:
            return a.NO_PERMISSION
    return a.general(cause)
