"""Dialling a WebSocket server: name, connection, TLS and handshake share one deadline."""

import errno
import functools
import os
import select
import socket
import ssl
import time
from collections.abc import Callable

import certifi
from simple_websocket import Client
from simple_websocket import ConnectionError as HandshakeRefused
from simple_websocket.ws import Base
from wsproto import ConnectionType
from wsproto.utilities import ProtocolError

from app.connections.deadline import Deadline
from app.connections.intake import Intake
from app.connections.resolver import Address, Resolver
from app.connections.sender import cause
from app.connections.target import Target
from app.connections.transport import WebSocket
from app.connections.wire import Wire, tune


class DialFailed(Exception):
    """Nobody answered as a WebSocket server; str() says why, safe to log."""


class OutboundSocket(WebSocket, Client):
    """A WebSocket that we opened. The constructor shakes hands on a connected socket in time."""

    def __init__(
        self,
        sock: socket.socket,
        target: Target,
        deadline: Deadline,
        *,
        name: str,
        ping_interval: float,
        max_message_size: int | None = None,
        on_message: Callable[[str | bytes], None] | None = None,
        on_end: Callable[["OutboundSocket"], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # Client's own constructor dials without any bound, and only the first address: it is passed
        # over, and what its handshake reads is set here. What it calls host is its Host header,
        # where it would leave out the port.
        self.host, self.path = target.host_header, target.request_target
        self.subprotocols: list[str] = []
        self.extra_headeers = []
        if target.authorization is not None:
            self.extra_headeers.append((b"Authorization", target.authorization.encode()))
        self._deadline = deadline
        options = self.prepare(
            name=name,
            ping_interval=ping_interval,
            intake=Intake(max_message_size, None, clock),
            on_message=on_message,
            on_end=on_end,
            clock=clock,
        )
        Base.__init__(self, Wire(sock, ping_interval), ConnectionType.CLIENT, **options)

    def handshake(self) -> None:
        wire = self.sock
        self.sock = _Handshake(wire, self._deadline)  # type: ignore[assignment]
        super().handshake()
        self.sock = wire


class _Handshake:
    """A Wire as Client's handshake uses a socket: all in one deadline, however slow it drips."""

    def __init__(self, wire: Wire, deadline: Deadline) -> None:
        self._wire, self._deadline = wire, deadline

    def send(self, data: bytes) -> None:
        self._wire.send(data, self._deadline.remaining())

    def recv(self, size: int) -> bytes:
        while (data := self._wire.recv(size, self._deadline.slice())) is None:
            pass
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "closed during the handshake")
        return data


class Dialler:
    """Dials for every upstream, from any thread; all times in seconds.

    `ca_bundle`: a PEM file for wss; None: certifi's, as in requests. It is read when first needed.
    """

    def __init__(
        self,
        *,
        timeout: float,
        ping_interval: float,
        max_message_size: int = 1024 * 1024,
        ca_bundle: str | None = None,
        resolver: Resolver | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timeout = timeout
        self._ping_interval = ping_interval
        self._max_message_size = max_message_size
        self._ca_bundle = ca_bundle
        self._resolver = resolver or Resolver()
        self._clock = clock

    def dial(
        self,
        target: Target,
        *,
        name: str,
        keep_messages: bool,
        on_message: Callable[[str | bytes], None],
        on_end: Callable[[OutboundSocket], object],
        cancelled: Callable[[], bool],
    ) -> OutboundSocket:
        """One attempt: every address of the name in turn, within `timeout` in all.

        `keep_messages` False: what comes is drained, and `on_message` gets empty messages. Raises
        DialFailed; Cancelled within 0.1 s of `cancelled()` turning true.
        """
        deadline = Deadline(self._timeout, cancelled, self._clock)
        shake_hands = functools.partial(
            OutboundSocket,
            target=target,
            deadline=deadline,
            name=name,
            ping_interval=self._ping_interval,
            max_message_size=self._max_message_size if keep_messages else None,
            on_message=on_message,
            on_end=on_end,
            clock=self._clock,
        )
        failure: Exception
        try:
            addresses = self._resolver.resolve(target.host, target.port, deadline)
            for position, address in enumerate(addresses):
                try:
                    # an address that swallows packets must leave time for those behind it
                    sock = connect(address, deadline.share(len(addresses) - position))
                    try:
                        tune(sock, self._ping_interval)
                        if target.secure:
                            sock = wrap(sock, self._tls, target.host, deadline)
                        return shake_hands(sock)
                    except BaseException:
                        sock.close()
                        raise
                except (OSError, HandshakeRefused, ProtocolError, UnicodeError) as error:
                    failure = error
        except OSError as error:
            failure = error
        raise DialFailed(reason(failure)) from failure

    @functools.cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._ca_bundle or certifi.where())


def connect(address: Address, deadline: Deadline) -> socket.socket:
    """A non-blocking socket, connected to `address`. Raises OSError, and what `deadline` raises."""
    family, kind, protocol, _, destination = address
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        error = sock.connect_ex(destination)
        if error == errno.EINPROGRESS:
            deadline.await_ready(sock.fileno(), select.POLLOUT)
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        return sock
    except BaseException:
        sock.close()
        raise


def wrap(sock: socket.socket, context: ssl.SSLContext, host: str, deadline: Deadline) -> ssl.SSLSocket:
    """TLS on a non-blocking `sock`, which then belongs to it. Raises as `connect`."""
    tls = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    try:
        while True:
            try:
                tls.do_handshake()
                return tls
            except ssl.SSLWantReadError:
                deadline.await_ready(tls.fileno(), select.POLLIN)
            except ssl.SSLWantWriteError:
                deadline.await_ready(tls.fileno(), select.POLLOUT)
    except BaseException:
        tls.close()
        raise


def reason(error: Exception) -> str:
    """Why a dial failed: a word of the checks' list and, where it helps, more. Safe to log."""
    match error:
        case HandshakeRefused():
            return f"http_status {error.status_code}"
        case ProtocolError():
            return f"protocol ({str(error)[:80]})"
        case UnicodeError():  # wsproto decodes some of the peer's headers without asking
            return "protocol"
        case socket.gaierror():
            return "dns"
        case ssl.SSLCertVerificationError():
            return f"tls ({error.verify_message})"
        case ssl.SSLError():
            return f"tls ({getattr(error, 'reason', None) or 'closed'})"
        case TimeoutError():
            return "timeout"
        case ConnectionRefusedError():
            return "refused"
        case ConnectionError():
            return "closed"
        case OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH):
            return "unreachable"
        case _:
            return f"error ({cause(error)})"
