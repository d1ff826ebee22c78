"""What a plain protocol needs of a connected socket: to send, and to read lines or bytes, by a deadline."""

import socket

from app.net.deadline import Deadline

CHUNK = 4096


class Stream:
    """Owns `sock`. Every read and write is held to the deadline at each step, so that a dripping peer gains nothing."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._unread = b""

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Send all of `data`. Raises OSError."""
        self._sock.settimeout(deadline.remaining())
        self._sock.sendall(data)

    def read_line(self, limit: int, deadline: Deadline) -> bytes:
        """One line without its CRLF. Raises OSError; ValueError if it is longer than `limit` bytes."""
        while b"\r\n" not in self._unread:
            if len(self._unread) > limit:
                raise ValueError(f"a line of more than {limit} bytes")
            self._receive(deadline)
        line, _, self._unread = self._unread.partition(b"\r\n")
        return line

    def read(self, size: int, deadline: Deadline) -> bytes:
        """Exactly `size` bytes. Raises OSError."""
        while len(self._unread) < size:
            self._receive(deadline)
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def _receive(self, deadline: Deadline) -> None:
        self._sock.settimeout(deadline.remaining())
        data = self._sock.recv(CHUNK)
        if not data:
            raise ConnectionResetError("closed by the peer")
        self._unread += data

    def close(self) -> None:
        self._sock.close()
