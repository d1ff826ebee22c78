"""One connection of the probe worker."""

import socket
import struct
from typing import TYPE_CHECKING, Any

from gunicorn.workers.gthread import TConn

from app.health.probers import Asked, Prober

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

READ_BYTES = 8 * 1024
LAST_ACK_RECEIVED = struct.Struct("=56xI")  # tcpi_last_ack_recv, in milliseconds (linux/tcp.h)


class ClientSocket(socket.socket):
    """A client's socket on which nothing waits: what is written is kept in `unsent` until `flush` sends it.

    `asked` is the request that a thread answers, if it is counted as a probe.
    """

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        self.unsent = bytearray()
        self.asked: Asked | None = None

    def setblocking(self, _blocking: bool, /) -> None:
        """Leave it blocking: the loop asks for no wait in each call, and gunicorn's switching costs system calls."""

    def sendall(self, data: "ReadableBuffer", _flags: int = 0, /) -> None:
        """Keep `data` to be sent."""
        self.unsent += data

    def send(self, data: "ReadableBuffer", _flags: int = 0, /) -> int:
        """Keep `data` to be sent."""
        before = len(self.unsent)
        self.unsent += data
        return len(self.unsent) - before

    def flush(self) -> bool:
        """Send as much as the kernel has room for; whether that was all. Raises OSError."""
        while self.unsent:
            try:
                sent = super().send(self.unsent, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            del self.unsent[:sent]
        return True

    def dup(self) -> socket.socket:  # type: ignore[override]
        """An ordinary socket of the same connection, for what follows the bytes written so far. Raises OSError."""
        if not self.flush():
            raise BlockingIOError("the client has not read its last answer")
        return socket.fromfd(self.fileno(), self.family, self.type, self.proto)


class ProbeConnection(TConn):
    """A connection, and what has been read from it that gunicorn's parser has not seen.

    `unparsed` are those bytes, of which the first `judged` are not enough for the parser. `keep_alive`: whether another
    request may follow the one that has been answered. `drained` counts what has been read, and thrown away, since our
    side ended. `reading`: whether what arrives is to be read; otherwise it is closed, or its probe is parked. `prober`
    is the one whose probe was the last that the lane answered.
    """

    sock: ClientSocket

    def __init__(self, cfg: Any, sock: socket.socket, *addresses: Any) -> None:
        super().__init__(cfg, ClientSocket(sock), *addresses)
        self.unparsed = bytearray()
        self.judged = 0
        self.keep_alive = True
        self.drained = 0
        self.open = True
        self.reading = True
        self.address: str = self.client[0]
        self.prober: Prober | None = None
        # It reaches a pool thread with a whole head: gunicorn need not wait there for the first byte.
        self.data_ready = True

    def init(self) -> None:
        """See TConn: called in the pool thread before each request is parsed."""
        super().init()
        self.parser.unreader.unread(self.unparsed)
        self.unparsed.clear()

    def take_back(self) -> None:
        """Take from the parser what it has read beyond the last request."""
        self.unparsed += self.parser.unreader.take_buffered()
        self.judged = 0

    def read(self) -> bytes | None:
        """What has arrived; empty if the peer has gone or ended its side, None if nothing has arrived."""
        try:
            data: bytes = self.sock.recv(READ_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            return b""
        return data

    def ended(self) -> bool:
        """Whether the peer has ended its side, and nothing that it sent before is unread."""
        try:
            return not self.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def silent_for(self) -> float | None:
        """Seconds since the peer's last segment, the one that ended its side included; None if that is not known."""
        try:
            info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, LAST_ACK_RECEIVED.size)
            return LAST_ACK_RECEIVED.unpack(info)[0] / 1000  # type: ignore[no-any-return]
        except (AttributeError, OSError, struct.error):  # only Linux has it
            return None

    def write(self, answer: bytes) -> bool:
        """Send a small answer at once; False if the peer has gone, or has let its answers pile up."""
        try:
            # Not the ClientSocket's own: nothing is unsent here, and the copy would cost the lane 3 %.
            return socket.socket.send(self.sock, answer, socket.MSG_DONTWAIT) == len(answer)
        except OSError:
            return False

    def end(self) -> bool:
        """End our side of the connection; False if it has ended altogether."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        return True
