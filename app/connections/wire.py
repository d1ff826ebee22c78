"""A connected socket in the hands of one thread, which other threads can wake or cut off."""

import contextlib
import math
import os
import select
import socket
import ssl
import threading
import time

CHUNK = 16 * 1024  # bytes; a TLS record holds no more

# What a socket raises instead of waiting. TLS may have to read before it can write, and the reverse.
Waits = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Wire:
    """Owns `sock`, plain or TLS, and closes it if the constructor raises OSError.

    Any thread may call `wake` and `cut`. The other methods belong to one thread: sends never interleave, and only one
    thread uses OpenSSL's object, which is not made for two.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        try:
            sock.setblocking(False)
            self._woken, self._waker = os.pipe()
        except OSError:
            sock.close()
            raise
        # Guards the descriptors against being closed, and their numbers reused, while `wake` or `cut` uses them. The
        # calls under it do not block.
        self._lock = threading.Lock()
        self._open = True
        self._awake = False  # the pipe holds a byte
        self._awaited = select.POLLIN

    def recv(self) -> bytes | None:
        """What has arrived, CHUNK bytes at most; b"" once the peer has ended its side; None if nothing has arrived.

        Does not wait. Raises OSError.
        """
        try:
            return self._sock.recv(CHUNK)
        except Waits as wait:
            self._awaited = select.POLLOUT if isinstance(wait, ssl.SSLWantWriteError) else select.POLLIN
            return None

    def wait(self, seconds: float, readable: bool = True) -> None:
        """Return when there is more to read (unless `readable` is false), when woken, or after so many seconds."""
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        if readable:
            poll.register(self._sock, self._awaited)
        if self._woken in dict(poll.poll(max(0, math.ceil(seconds * 1000)))):
            os.read(self._woken, 1)
            self._awake = False

    def send(self, data: bytes, patience: float) -> None:
        """Write all of `data`.

        Raises OSError; TimeoutError when the peer accepts nothing for `patience` seconds. A part may have been
        written then, and nothing can follow it.
        """
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._sock.send(rest[:CHUNK]) :]
            except Waits as wait:
                poll = select.poll()
                poll.register(self._sock, select.POLLIN if isinstance(wait, ssl.SSLWantReadError) else select.POLLOUT)
                if not poll.poll(math.ceil(patience * 1000)):
                    raise TimeoutError("the peer does not read") from None

    def drain(self, seconds: float) -> None:
        """End our side, and discard what the peer sends until it ends its own, at most so many seconds. Raises OSError.

        Closing a socket that holds unread bytes resets the connection, and may lose what was sent last.
        """
        end = time.monotonic() + seconds
        # SSLSocket.shutdown would drop the encryption and read ciphertext from then on.
        socket.socket.shutdown(self._sock, socket.SHUT_WR)
        while (left := end - time.monotonic()) > 0 and (data := self.recv()) != b"":
            if data is None:
                self.wait(left)

    def close(self) -> None:
        """Shut the connection down, for duplicates of the socket too, and give the descriptors back."""
        self.cut()
        with self._lock:
            if self._open:
                self._open = False
                self._sock.close()
                os.close(self._woken)
                os.close(self._waker)

    def wake(self) -> None:
        """Have `wait` return, the next one if none is under way."""
        with self._lock:
            if self._open and not self._awake:
                self._awake = True
                os.write(self._waker, b"\0")

    def cut(self) -> None:
        """End both directions, so that the owner's send or wait ends at once."""
        with self._lock:
            if self._open:
                with contextlib.suppress(OSError):  # the peer has gone
                    socket.socket.shutdown(self._sock, socket.SHUT_RDWR)


def tune(sock: socket.socket, ping_interval: float) -> None:
    """Have the kernel send small frames at once, and give up on bytes that the peer accepts none of for two intervals."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # not on macOS
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, int(2000 * ping_interval)))
