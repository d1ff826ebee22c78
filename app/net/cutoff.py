"""A hold on a socket in use, by which another thread can end what its owner does with it."""

import socket
import threading


class Cutoff:
    """Holds a duplicate of the socket in use, so that `cut` ends its reads and writes from outside.

    A duplicate, because the original may be detached (TLS), or closed and its number given to another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards what is below; a shutdown under it does not block
        self._held: socket.socket | None = None
        self.dials = 0
        """How many sockets were held so far: unchanged over a request, it went over a kept connection."""
        self.cuts = 0
        """How often it was cut: unchanged over a request, the request was not ended by us."""
        self.was_cut = False
        """Whether the socket that was held last has been cut."""

    def hold(self, sock: socket.socket) -> None:
        """From now on this is the socket to cut."""
        duplicate = sock.dup()
        with self._lock:
            former, self._held = self._held, duplicate
            self.dials += 1
            self.was_cut = False
        if former is not None:
            former.close()

    def cut(self) -> None:
        """Shut the socket down, whatever its owner is doing with it."""
        with self._lock:
            self.cuts += 1
            self.was_cut = True
            if self._held is not None:
                try:
                    self._held.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # the peer has gone: nothing is left to cut

    def release(self) -> None:
        """Let go of the socket."""
        with self._lock:
            former, self._held = self._held, None
        if former is not None:
            former.close()
