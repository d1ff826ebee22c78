"""One connection of the probe worker."""

import socket
from typing import Any

from gunicorn.workers.gthread import TConn

READ_BYTES = 8 * 1024


class ProbeConnection(TConn):
    """A connection, and what has been read from it that gunicorn's parser has not seen.

    `unparsed` are those bytes, `drained` counts what has been read, and thrown away, since our side ended.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.unparsed = b""
        self.drained = 0
        self.open = True
        # It comes to a pool thread with a whole head: gunicorn need not wait there for the first byte.
        self.data_ready = True

    def init(self) -> None:
        """See TConn: called in the pool thread before each request is parsed."""
        super().init()
        self.parser.unreader.unread(self.unparsed)
        self.unparsed = b""

    def take_back(self) -> None:
        """Take from the parser what it has read beyond the last request."""
        self.unparsed = self.parser.unreader.take_buffered()

    def read(self) -> bytes | None:
        """What has come; empty if the peer has gone or ended its side, None if nothing has come."""
        try:
            data: bytes = self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""
        return data

    def write(self, answer: bytes) -> bool:
        """Send a small answer at once; False if the peer has gone, or has let its answers pile up."""
        try:
            return bool(self.sock.send(answer) == len(answer))
        except OSError:
            return False

    def end(self) -> bool:
        """End our side of the connection; False if it has ended altogether."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        return True
