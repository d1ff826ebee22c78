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
from app.connections.registry import NotAdded, Registry
from app.connections.transport import LINGER, Violation, WebSocket
from app.connections.wire import Wire, tune

MAX_MESSAGE_SIZE = 64 * 1024  # bytes
MAX_FRAMES_PER_SECOND = 200  # an orderly client sends a ping now and then
MAX_UNREAD = 64  # messages that nobody takes
SEND_BUFFER = 64 * 1024  # bytes; what the kernel holds for a slow client is state that has grown old
SOCKET_KEYS = ("gunicorn.socket", "werkzeug.socket")
ORDERLY = (CloseReason.NORMAL_CLOSURE, CloseReason.GOING_AWAY, CloseReason.NO_STATUS_RCVD)

log = logging.getLogger(__name__)


def refusal(environ: Mapping[str, Any]) -> tuple[int, str] | None:
    """The HTTP status and the words for a request that is no WebSocket handshake (RFC 6455 4.2.1); None if it is one.

    426 goes with the headers `Upgrade: websocket`, `Connection: Upgrade` and `Sec-WebSocket-Version: 13`.
    simple-websocket answers these requests with an exception, which would be a 500.
    """
    if environ.get("HTTP_UPGRADE", "").lower() != "websocket":
        return 426, "Upgrade: websocket is missing"
    if "upgrade" not in [token.strip().lower() for token in environ.get("HTTP_CONNECTION", "").split(",")]:
        return 400, "Connection: Upgrade is missing"
    if environ.get("REQUEST_METHOD") != "GET" or environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        return 400, "not a GET of HTTP/1.1"
    if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":
        return 426, "Sec-WebSocket-Version is not 13"
    try:
        nonce = base64.b64decode(environ.get("HTTP_SEC_WEBSOCKET_KEY", ""), validate=True)
    except (binascii.Error, ValueError):
        nonce = b""
    if len(nonce) != 16 or not environ.get("HTTP_HOST"):
        return 400, "Sec-WebSocket-Key or Host is missing or malformed"
    return None


class InboundSocket(WebSocket, Server):
    """A simple_websocket.Server on a duplicate of the WSGI server's socket, which stays the server's to close.

    Its constructor answers the upgrade with 101. The socket is found in `environ` as gunicorn and Werkzeug put it
    there; a TLS one cannot be duplicated. Without `on_message(message)`, which the reader's thread calls, messages
    wait for `receive`. An exception leaves no duplicate open, and the connection fit for an HTTP answer or ended.
    """

    def __init__(self, environ: Mapping[str, Any], *, ping_interval: float, name: str = "ws-reader",
                 max_message_size: int = MAX_MESSAGE_SIZE, max_frames_per_second: int = MAX_FRAMES_PER_SECOND,
                 on_message: Callable[[str | bytes], None] | None = None,
                 on_end: Callable[["InboundSocket"], None] | None = None,
                 clock: Callable[[], float] = time.monotonic) -> None:
        key = next((key for key in SOCKET_KEYS if key in environ), None)
        if key is None:
            raise RuntimeError("the WSGI server gives no socket away")
        # simple-websocket closes the socket it is given: with the server's own, gunicorn miscounts its connections
        sock: socket.socket = environ[key].dup()
        wire = Wire(sock, ping_interval)
        tune(sock, ping_interval)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        # Compression is not offered, so there is none to accept: a few KiB cannot become gigabytes before their size
        # is looked at, and messages as small as ours gain nothing.
        environ = {name: value for name, value in environ.items() if name != "HTTP_SEC_WEBSOCKET_EXTENSIONS"}
        options = self.prepare(name=name, ping_interval=ping_interval, max_message_size=max_message_size,
                               max_frames_per_second=max_frames_per_second, on_message=on_message, on_end=on_end,
                               clock=clock)
        try:
            Server.__init__(self, environ | {key: wire}, **options)
        except BaseException:
            if getattr(self, "connected", False):
                wire.shutdown()  # no thread to be had, but the 101 is out: nothing of HTTP may follow it
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
    """An InboundSocket as the registry keeps it: connected, then closed. It cannot be dialled again."""

    direction = Direction.INBOUND

    def __init__(self, connection_id: str, socket: InboundSocket, clock: Callable[[], float] = time.monotonic,
                 wall_clock: Callable[[], float] = time.time) -> None:
        super().__init__(connection_id, State.CONNECTED, wall_clock)
        self.socket = socket
        self._clock = clock
        self._began = clock()
        log.info("client %s connected", connection_id)
        socket.on_end = self._ended
        if not socket.connected:  # its end was told before we listened
            self._ended(socket)

    def is_healthy(self) -> bool:
        return self._state is State.CONNECTED and self.socket.is_alive()

    def reconnect(self, cancelled: Callable[[], bool] = lambda: False) -> bool:
        return False

    def recover(self) -> bool:
        self.socket.abort()
        self._ended(self.socket)
        return False

    def close(self, code: int = 1001, message: str = "") -> bool:
        """Wakes the handler that waits in `receive`, from any thread."""
        if not self.socket.close(code, message):
            return False
        self._ended(self.socket)
        return True

    def finish(self, timeout: float = LINGER) -> None:
        self.socket.finish(timeout)

    def _ended(self, socket: InboundSocket) -> bool:
        with self._lock:
            if not self._enter(State.CLOSED):
                return False
        log.log(logging.INFO if socket.close_reason in ORDERLY else logging.WARNING,
                "client %s closed after %.1f s: %s", self.id, self._clock() - self._began, socket.ending())
        self._tell(State.CLOSED)
        return True


def serve(registry: Registry, connection_id: str, socket: InboundSocket,
          handler: Callable[[InboundSocket], None]) -> None:
    """Run `handler(socket)` for as long as it likes, with `socket` in `registry`. Raises nothing.

    It ends with 1000 when the handler returns, 1011 when it raises (logged; no error handler of HTTP may see it, for
    that would write HTTP into the stream), 1001 when the registry is closed; ConnectionClosed from the handler is
    the ordinary end. On return the connection is over and its duplicate closed, so that a server that waits for its
    client's end when it closes the original (gunicorn, on its accept loop) does not wait.
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
    except BaseException:  # SystemExit in a handler would else end the whole worker
        log.exception("client %s: its handler failed", connection_id)
        connection.close(CloseReason.INTERNAL_ERROR)
    finally:
        connection.finish()
        registry.remove(connection_id)
