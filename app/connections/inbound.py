"""A connection that a client opened: the upgrade, its socket, and its place in the registry."""

import base64
import binascii
import logging
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from simple_websocket import ConnectionClosed, Server
from wsproto.frame_protocol import CloseReason

from app.connections.connection import Connection, Direction, State
from app.connections.intake import Intake, Violation
from app.connections.registry import NotAdded, Registry
from app.connections.sender import LINGER
from app.connections.transport import WebSocket
from app.connections.wire import Wire, tune

MAX_MESSAGE_SIZE = 64 * 1024  # bytes
MAX_FRAMES = 200  # a second; an orderly client sends a ping now and then
MAX_UNREAD = 64  # messages that nobody takes
SEND_BUFFER = 64 * 1024  # bytes; what the kernel holds for a slow client is state grown old
HANDSHAKE_KEYS = ("HTTP_HOST", "HTTP_UPGRADE", "HTTP_SEC_WEBSOCKET_KEY", "HTTP_SEC_WEBSOCKET_VERSION")
SOCKET_KEYS = ("gunicorn.socket", "werkzeug.socket")
ORDERLY = (CloseReason.NORMAL_CLOSURE, CloseReason.GOING_AWAY, CloseReason.NO_STATUS_RCVD)

log = logging.getLogger(__name__)


def refusal(environ: Mapping[str, Any]) -> tuple[int, str] | None:
    """HTTP status and words for a request that is no WebSocket handshake (RFC 6455 4.2.1), or None.

    426 wants headers `Upgrade: websocket`, `Connection: Upgrade`, `Sec-WebSocket-Version: 13`.
    simple-websocket answers such a request with an exception, which would be a 500.
    """
    if environ.get("HTTP_UPGRADE", "").lower() != "websocket":
        return 426, "Upgrade: websocket is missing"
    if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":
        return 426, "Sec-WebSocket-Version is not 13"
    if environ.get("REQUEST_METHOD") != "GET" or environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        return 400, "not a GET of HTTP/1.1"
    tokens = environ.get("HTTP_CONNECTION", "").lower().split(",")
    if "upgrade" not in [token.strip() for token in tokens]:
        return 400, "Connection: Upgrade is missing"
    if not environ.get("HTTP_HOST"):
        return 400, "Host is missing"
    try:
        nonce = base64.b64decode(environ.get("HTTP_SEC_WEBSOCKET_KEY", ""), validate=True)
    except (binascii.Error, ValueError):
        nonce = b""
    return None if len(nonce) == 16 else (400, "Sec-WebSocket-Key is missing or malformed")


class InboundSocket(WebSocket, Server):
    """A simple_websocket.Server on a duplicate of the WSGI server's socket.

    The original stays the server's to close. It is found in `environ` where gunicorn and Werkzeug
    put it; one with TLS cannot be duplicated. The constructor answers the upgrade with 101; if it
    raises, no duplicate is left open, and the connection is fit for an HTTP answer or ended.

    The reader's thread calls `on_message(message)`; without it, messages wait for `receive`.
    """

    def __init__(
        self,
        environ: Mapping[str, Any],
        *,
        ping_interval: float,
        name: str = "ws-reader",
        max_message_size: int = MAX_MESSAGE_SIZE,
        max_frames: int = MAX_FRAMES,
        on_message: Callable[[str | bytes], None] | None = None,
        on_end: Callable[["InboundSocket"], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        key = next((key for key in SOCKET_KEYS if key in environ), None)
        if key is None:
            raise RuntimeError("the WSGI server gives no socket away")
        options = self.prepare(
            name=name,
            ping_interval=ping_interval,
            intake=Intake(max_message_size, max_frames, clock),
            on_message=on_message,
            on_end=on_end,
            clock=clock,
        )
        # simple-websocket closes what it is given: were that the server's own, gunicorn would
        # count its connections wrong.
        sock: socket.socket = environ[key].dup()
        wire = Wire(sock, ping_interval)
        # simple-websocket is shown what the handshake needs and nothing else: subprotocols and other
        # Connection options that are not ASCII make it raise, and compression is not agreed to (a
        # few KiB could become gigabytes before anyone looks at their size).
        environ = {name: environ[name] for name in HANDSHAKE_KEYS if name in environ} | {"HTTP_CONNECTION": "Upgrade"}
        try:
            tune(sock, ping_interval)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            Server.__init__(self, environ | {key: wire}, **options)
        except BaseException:
            if getattr(self, "connected", False):
                wire.shutdown()  # the 101 is out, but no thread to be had: no HTTP may follow it
            sock.close()
            raise

    def _deliver(self, message: str | bytes) -> None:
        if self.on_message is not None:
            self.on_message(message)
        elif len(self.input_buffer) < MAX_UNREAD:
            self.input_buffer.append(message)
            self.event.set()
        else:
            raise Violation(CloseReason.POLICY_VIOLATION, "too many messages unread")


class Inbound(Connection):
    """An InboundSocket as the registry keeps it: connected, then closed. It cannot be dialled."""

    direction = Direction.INBOUND

    def __init__(
        self,
        connection_id: str,
        socket: InboundSocket,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(connection_id, State.CONNECTED, wall_clock)
        self._socket = socket
        self._clock = clock
        self._began = clock()
        log.info("client %s connected", connection_id)
        socket.on_end = self.ended
        if not socket.connected:  # its end was told before we listened
            self.ended(socket)

    def is_healthy(self) -> bool:
        return self._socket.thread.is_alive()

    def reconnect(self, cancelled: Callable[[], bool] = lambda: False) -> bool:
        return False

    def recover(self) -> bool:
        self._socket.abort()
        self.ended(self._socket)
        return False

    def close(self, code: int = 1001, message: str = "") -> bool:
        """Also wakes its handler out of `receive`."""
        won = self._socket.close(code, message)
        if won:
            self.ended(self._socket)
        return won

    def finish(self, timeout: float = LINGER) -> None:
        self._socket.finish(timeout)

    def ended(self, socket: InboundSocket) -> bool:
        """The transition to closed, whoever closed it."""
        with self._lock:
            if not self._enter(State.CLOSED):
                return False
        log.log(
            logging.INFO if socket.close_reason in ORDERLY else logging.WARNING,
            "client %s closed after %.1f s: %s",
            self.id,
            self._clock() - self._began,
            socket.ending(),
        )
        self._tell(State.CLOSED)
        return True


def serve(
    registry: Registry, connection_id: str, socket: InboundSocket, handler: Callable[[InboundSocket], None]
) -> None:
    """Run `handler(socket)` for as long as it likes, with `socket` in `registry`. Raises nothing.

    It ends with 1000 when the handler returns, 1011 when it raises (logged here: an error handler
    of HTTP would write HTTP into the stream), 1001 when the registry closes; ConnectionClosed from
    the handler is an ordinary end. On return the connection is shut down: a WSGI server that, when
    it closes the original, waits for the client's end (gunicorn, on its accept loop) has it.
    """
    connection = Inbound(connection_id, socket)
    try:
        registry.add(connection_id, connection)
    except NotAdded as refused:
        connection.close(CloseReason.GOING_AWAY, str(refused))
        connection.finish()
        return
    try:
        handler(socket)
        connection.close(CloseReason.NORMAL_CLOSURE)
    except ConnectionClosed:
        pass
    except BaseException:  # a SystemExit, say, would end the whole worker
        log.exception("client %s: its handler failed", connection_id)
        connection.close(CloseReason.INTERNAL_ERROR)
    finally:
        connection.finish()
        registry.remove(connection_id)
