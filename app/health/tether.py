"""A hold on the socket of a check, by which another thread can end it."""

import socket
import threading
import time
from collections.abc import Callable


def connect(host: str, port: int, timeout: float, clock: Callable[[], float] = time.monotonic) -> socket.socket:
    """A TCP connection to the first address of `host` that takes one, within `timeout` seconds for all.

    (`socket.create_connection` gives every address the whole time.) Name resolution cannot be interrupted
    and is not counted. Raises OSError.
    """
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    deadline = clock() + timeout
    failure: OSError = OSError(f"no address for {host}")
    for family, kind, protocol, _, address in addresses:
        left = deadline - clock()
        if left <= 0:
            raise TimeoutError(f"no time left to connect to {host}") from failure
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(left)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


class Tether:
    """Holds a duplicate of the socket in use, so that `cut` ends its reads and writes from outside.

    A duplicate, because the original may be detached (TLS) or closed and its number given to another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards what is below; a shutdown under it does not block
        self._held: socket.socket | None = None
        self.dials = 0
        """How many sockets there have been: unchanged over a request, it went over a kept connection."""
        self.cuts = 0
        """How often it was cut: unchanged over a request, what ended it was not us."""

    def hold(self, sock: socket.socket) -> None:
        """From now on this is the socket to cut."""
        duplicate = sock.dup()
        with self._lock:
            former, self._held = self._held, duplicate
            self.dials += 1
        if former is not None:
            former.close()

    def cut(self) -> None:
        """Shut the socket down, whatever its owner is doing with it."""
        with self._lock:
            self.cuts += 1
            if self._held is not None:
                try:
                    self._held.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # the peer has gone already: nothing is left to cut

    def release(self) -> None:
        """Let go of the socket."""
        with self._lock:
            former, self._held = self._held, None
        if former is not None:
            former.close()
