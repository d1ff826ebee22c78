"""A connected socket that threads share: whole sends, bounded waits, safe closing."""

import select
import socket
import ssl
import threading
import time

from app.connections.deadline import ready

CHUNK = 65536


class Wire:
    """Owns `sock`, plain or TLS. Every wait is in poll(2), never in a read or write.

    `stall`: seconds after which a send gives up on a peer that takes nothing. One thread may read
    while another writes; two that write have to agree among themselves who goes first.
    """

    def __init__(self, sock: socket.socket, stall: float) -> None:
        self._sock = sock
        self._stall = stall
        # Guards the descriptor against being closed, and so reused for another connection, under a
        # call that still uses its number (measured: after a TLS redial the old reader took records
        # of the new connection); and OpenSSL's connection object, which is not made for two
        # threads. Held only for calls that cannot wait.
        self._in_use = threading.Lock()
        self._descriptor = sock.fileno()
        # not O_NONBLOCK: a duplicate would share it with the original
        self._flags: int = socket.MSG_DONTWAIT
        if isinstance(sock, ssl.SSLSocket):
            self._flags = 0  # TLS knows no flags, and no duplicates
            sock.setblocking(False)

    def send(self, data: bytes, stall: float | None = None) -> None:
        """Write all of `data`, however often it takes.

        Raises OSError; TimeoutError when the peer took nothing for `stall` seconds. Then a part may
        have been written, and nothing sensible can follow it.
        """
        patience = self._stall if stall is None else stall
        rest = memoryview(data)
        while rest:
            try:
                with self._in_use:
                    rest = rest[self._sock.send(rest[:CHUNK], self._flags) :]
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError) as wait:
                if not ready(self._descriptor, _wanted(wait, select.POLLOUT), patience):
                    raise TimeoutError("the peer takes nothing") from None

    def recv(self, size: int, timeout: float) -> bytes | None:
        """At most `size` bytes; b"" when the peer has ended; None when nothing came in `timeout` s.

        Reads before it waits: what TLS has decrypted already makes no descriptor readable.
        Raises OSError.
        """
        end = time.monotonic() + timeout
        while True:
            try:
                with self._in_use:
                    return self._sock.recv(size, self._flags)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError) as wait:
                left = end - time.monotonic()
                if left <= 0 or not ready(self._descriptor, _wanted(wait, select.POLLIN), left):
                    return None

    def drain(self, seconds: float) -> None:
        """Tell the peer that we are done, and throw away what it sends until it is done too.

        Closing a socket that holds unread bytes resets it, and can take from the peer what was sent
        to it last.
        """
        end = time.monotonic() + seconds
        try:
            self._shut(socket.SHUT_WR)
            while (left := end - time.monotonic()) > 0 and self.recv(CHUNK, left):
                pass
        except OSError:
            pass  # it has reset the connection: then it is done

    def shutdown(self) -> None:
        """End both directions: wakes every thread that waits here or on a duplicate."""
        try:
            self._shut(socket.SHUT_RDWR)
        except OSError:
            pass  # the connection is gone already

    def close(self) -> None:
        """Shut down and give the descriptor back; idempotent."""
        self.shutdown()
        with self._in_use:
            self._sock.close()

    def _shut(self, how: int) -> None:
        with self._in_use:
            # SSLSocket.shutdown would take TLS away under a reader, who would then read ciphertext
            socket.socket.shutdown(self._sock, how)


def _wanted(wait: OSError, otherwise: int) -> int:
    """What TLS waits for is not always what its caller does."""
    if isinstance(wait, ssl.SSLWantReadError):
        return select.POLLIN
    if isinstance(wait, ssl.SSLWantWriteError):
        return select.POLLOUT
    return otherwise


def tune(sock: socket.socket, ping_interval: float) -> None:
    """Set on a TCP socket what both directions need; another kind is left alone."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # The kernel's own bound on bytes that nobody takes, also for those we leave behind in it.
        milliseconds = max(1, int(2000 * ping_interval))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
