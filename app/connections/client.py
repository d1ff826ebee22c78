"""A client's connection, from the answer to its handshake to the end."""

import logging
import socket
import threading
from collections.abc import Callable

from simple_websocket import Server
from wsproto.frame_protocol import CloseReason

from app.connections.connection import Connection, Direction, State
from app.connections.ending import Ended
from app.connections.intake import Limits
from app.connections.registry import Registry, RegistryClosed
from app.connections.websocket import WebSocket
from app.connections.wire import Wire, tune
from app.net.clock import clock

# All that a client needs to send is a short ping now and then.
CLIENT_LIMITS = Limits(frames=200, size=256 * 1024, message=64 * 1024, kept=256, patient=False)
SEND_BUFFER = 64 * 1024  # bytes; what the kernel keeps for a slow client grows old
ORDERLY = (CloseReason.NORMAL_CLOSURE, CloseReason.GOING_AWAY, CloseReason.NO_STATUS_RCVD)

log = logging.getLogger(__name__)


def accept(handshake: Server, early: bytes, ping_interval: float) -> WebSocket:
    """Send the answer of `handshake`, whose socket is a HeldSocket, and continue on a duplicate of the original.

    A duplicate, because gunicorn closes the original. `early` is what the client has sent right behind its request.
    Raises OSError when no descriptor is left; nothing has been sent then.
    """
    original: socket.socket = handshake.sock.sock
    tune(original, ping_interval)
    original.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    wire = Wire(original.dup())
    handshake.ws.receive_data(early)
    try:
        wire.send(handshake.sock.answer, ping_interval)
    except OSError:
        wire.cut()  # the first read finds that it has ended
    return WebSocket(wire, handshake.ws, CLIENT_LIMITS, ping_interval)


class Client(Connection):
    """An accepted connection as the registry keeps it, connected until it is removed. Made by the thread that serves it."""

    direction = Direction.INBOUND

    def __init__(self, connection_id: str, websocket: WebSocket) -> None:
        super().__init__(connection_id, State.CONNECTED)
        self._websocket = websocket
        self._began = clock()
        self._thread = threading.current_thread()
        self._over = threading.Event()

    def sweep(self) -> bool:
        """See Connection: it is over when its thread has ended."""
        return self._thread.is_alive()

    def close(self, code: int, words: str = "") -> None:
        """See Connection."""
        self._websocket.close(code, words)

    def finish(self, timeout: float) -> None:
        """See Connection."""
        self._over.wait(timeout)
        self._websocket.cut()

    def ended(self, end: Ended) -> None:
        """The socket is closed."""
        self._over.set()
        level = logging.INFO if end.code in ORDERLY else logging.WARNING
        log.log(level, "client %s closed after %.1f s: %s", self.id, clock() - self._began, end)


def serve(registry: Registry, connection_id: str, websocket: WebSocket, handler: Callable[[], object]) -> None:
    """Run `handler` while the connection lasts, with it in `registry`. See WebSocket.run; raises nothing.

    On return the connection is shut down: a server that waits for the client's end when it closes the original
    (gunicorn's stock worker, on its accept loop) finds it.
    """
    client = Client(connection_id, websocket)
    log.info("client %s connected", connection_id)
    try:
        registry.add(connection_id, client)
    except RegistryClosed as closed:
        websocket.close(CloseReason.GOING_AWAY, str(closed))
    end = websocket.run(f"client {connection_id}", handler)
    client.ended(end)
    registry.remove(connection_id)
