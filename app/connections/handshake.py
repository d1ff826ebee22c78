"""The opening handshakes of both directions, by simple-websocket; nothing after them is."""

import base64
import errno
import socket
from collections.abc import Mapping, MutableMapping
from types import SimpleNamespace
from typing import Any

from simple_websocket import Client
from simple_websocket.ws import Base
from wsproto import ConnectionType, WSConnection

from app.connections.target import Target
from app.net.deadline import Deadline

SOCKET_KEY = "gunicorn.socket"  # where gunicorn puts its socket in the environ
HANDSHAKE_KEYS = frozenset({"HTTP_UPGRADE", "HTTP_SEC_WEBSOCKET_KEY", "HTTP_SEC_WEBSOCKET_VERSION"})


def no_thread(target: object) -> SimpleNamespace:
    """In place of the thread in which simple-websocket would read after a handshake."""
    return SimpleNamespace(name="", start=lambda: None)


def shake_hands(sock: socket.socket, target: Target, deadline: Deadline) -> WSConnection:
    """Ask for `target` on a connected socket; returns the protocol, which holds what came in one segment with the answer.

    Raises simple_websocket.ConnectionError with the status code of a refusal, wsproto's ProtocolError, UnicodeError for
    a header that wsproto cannot decode, and OSError, TimeoutError among them.
    """
    protocol: WSConnection = _OpeningClient(sock, target, deadline).ws
    return protocol


class _OpeningClient(Client):
    """simple-websocket's client on a connected socket: its own constructor dials, without a time limit."""

    def __init__(self, sock: socket.socket, target: Target, deadline: Deadline) -> None:
        self.host, self.path = target.host_header, target.request_target  # it would leave the port out of Host
        self.subprotocols: list[str] = []
        self.extra_headeers = target.headers
        wire = _BoundedSocket(sock, deadline)
        Base.__init__(self, wire, ConnectionType.CLIENT, thread_class=no_thread)


class _BoundedSocket:
    """A socket whose reads share one deadline, however slowly the peer answers. wsproto bounds the head (16 KiB)."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def send(self, data: bytes) -> None:
        self._sock.settimeout(self._deadline.remaining())
        self._sock.sendall(data)

    def recv(self, size: int) -> bytes:
        self._sock.settimeout(self._deadline.remaining())
        data = self._sock.recv(size)
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "closed during the handshake")
        return data


def refusal(environ: Mapping[str, Any]) -> int | None:
    """The HTTP status for a request that is not a WebSocket handshake (RFC 6455, 4.2.1), or None.

    A 426 must name the headers `Upgrade`, `Connection` and `Sec-WebSocket-Version`. simple-websocket would raise an
    exception, which would become a 500.
    """
    if environ.get("HTTP_UPGRADE", "").lower() != "websocket" or environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":
        return 426
    if environ.get("REQUEST_METHOD") != "GET" or environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        return 400
    tokens = [token.strip() for token in environ.get("HTTP_CONNECTION", "").lower().split(",")]
    try:
        nonce = base64.b64decode(environ.get("HTTP_SEC_WEBSOCKET_KEY", ""), validate=True)
    except ValueError:
        return 400
    return None if "upgrade" in tokens and environ.get("HTTP_HOST") and len(nonce) == 16 else 400


class HeldSocket:
    """Stands for the WSGI server's socket while simple_websocket.Server answers, and keeps the answer unsent."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.answer = b""

    def send(self, data: bytes) -> None:
        self.answer += data


def hold_answer(environ: MutableMapping[str, Any]) -> None:
    """Prepare the environ of a handshake for simple_websocket.Server. Raises KeyError if it holds no socket.

    The server finds a HeldSocket, so that nothing is sent before all that a WebSocket needs has been obtained, and no
    header that a handshake can do without: it raises for some that are not ASCII, and it would agree to compression, by
    which a few KiB become gigabytes before their size is checked.
    """
    environ[SOCKET_KEY] = HeldSocket(environ[SOCKET_KEY])
    for key in [key for key in environ if key.startswith("HTTP_") and key not in HANDSHAKE_KEYS]:
        del environ[key]
    environ.update(HTTP_HOST="localhost", HTTP_CONNECTION="Upgrade")


def read_ahead(environ: Mapping[str, Any]) -> bytes:
    """What a client has sent in one segment with its handshake, though it ought to wait (RFC 6455, 4.1).

    gunicorn has read it with the head, and the bytes after it would make no sense without it.
    """
    unreader = getattr(getattr(environ.get("wsgi.input"), "reader", None), "unreader", None)
    return b"" if unreader is None else bytes(unreader.take_buffered())
