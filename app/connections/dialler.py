"""Dialling a WebSocket server: name, connection, TLS and handshake share one deadline."""

from dataclasses import dataclass

from simple_websocket import ConnectionError as HandshakeRefused
from wsproto.utilities import ProtocolError

from app.connections.handshake import shake_hands
from app.connections.intake import Limits
from app.connections.target import Target
from app.connections.websocket import WebSocket
from app.connections.wire import Wire, tune
from app.net.connect import dial, wrap
from app.net.deadline import Deadline
from app.net.reason import CERTIFICATE_REFUSED, Cause, Reason, cause_of
from app.net.resolver import Resolver
from app.net.tls import client_context, refused_at

# An upstream's messages are discarded, but reading them must not take a core: this much takes about a twentieth.
UPSTREAM_LIMITS = Limits(frames=1000, size=4 * 1024 * 1024, message=float("inf"), kept=0, patient=True)


class DialFailed(Exception):
    """The server was not reached, for `cause`, which str() shows."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason} ({detail})")
        self.cause = Cause(reason, detail)

    @property
    def reason(self) -> Reason:
        return self.cause.reason


@dataclass(frozen=True)
class Dialler:
    """How upstreams are dialled: times in seconds, and the path of a PEM file for wss."""

    timeout: float
    ping_interval: float
    ca_bundle: str
    resolver: Resolver

    def dial(self, target: Target) -> WebSocket:
        """One attempt, within `timeout` in total. Raises DialFailed."""
        deadline = Deadline(self.timeout)
        try:
            context = client_context(self.ca_bundle) if target.secure else None
            sock = dial(target.host, target.port, deadline, self.resolver)
            try:
                tune(sock, self.ping_interval)
                if context is not None:
                    sock = wrap(sock, context, target.host, deadline)
                protocol = shake_hands(sock, target, deadline)
            except BaseException:
                sock.close()
                raise
            return WebSocket(Wire(sock), protocol, UPSTREAM_LIMITS, self.ping_interval)
        except (OSError, RuntimeError, ProtocolError, UnicodeError) as error:  # RuntimeError: no thread for a look-up
            cause = _why(error)
            if cause.reason is Reason.CLOSED and target.secure:
                if refused_at(target.host, target.port, deadline, self.resolver):
                    cause = CERTIFICATE_REFUSED
            raise DialFailed(*cause) from error


def _why(error: Exception) -> Cause:
    match error:
        case HandshakeRefused(status_code=401 | 403 as status):
            return Cause(Reason.AUTH, f"answered {status}")
        case HandshakeRefused(status_code=status):
            return Cause(Reason.REDIRECT if 300 <= status < 400 else Reason.HTTP_STATUS, f"answered {status}")
        case ProtocolError() | UnicodeError():
            return Cause(Reason.PROTOCOL, "not a WebSocket server")
    return cause_of(error) or Cause(Reason.ERROR, type(error).__name__)
