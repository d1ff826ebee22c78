"""Names to addresses, by a look-up that can be left behind: getaddrinfo knows no timeout."""

import socket
import threading
from collections.abc import Callable
from typing import Any

from app.connections.deadline import Deadline

# family, type, protocol, canonical name, socket address
Address = tuple[int, int, int, str, Any]


class _Lookup:
    """One call of getaddrinfo in a thread; `done` is set when `addresses` or `error` is there."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.addresses: list[Address] = []
        self.error: Exception | None = None


class Resolver:
    """At most one daemon thread per name: who asks for a name that hangs waits with the others."""

    def __init__(self, getaddrinfo: Callable[..., list[Any]] = socket.getaddrinfo) -> None:
        self._getaddrinfo = getaddrinfo
        self._lock = threading.Lock()  # guards _underway
        self._underway: dict[tuple[str, int], _Lookup] = {}

    def resolve(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        """The stream addresses of `host`, at least one, in the order to try them.

        Raises socket.gaierror, and what `deadline` raises (then the look-up goes on without us).
        """
        try:  # an address in digits needs no look-up and no thread
            return self._getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except (socket.gaierror, UnicodeError):
            pass
        lookup = self._join_or_start((host, port))
        while not lookup.done.wait(deadline.slice()):
            pass
        if lookup.error is not None:
            raise socket.gaierror(socket.EAI_NONAME, "no address") from lookup.error
        return lookup.addresses

    def _join_or_start(self, name: tuple[str, int]) -> _Lookup:
        with self._lock:
            lookup = self._underway.get(name)
            if lookup is not None:
                return lookup
            lookup = self._underway[name] = _Lookup()
        threading.Thread(target=self._look_up, args=(name, lookup), name="resolve", daemon=True).start()
        return lookup

    def _look_up(self, name: tuple[str, int], lookup: _Lookup) -> None:
        try:
            lookup.addresses = self._getaddrinfo(*name, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:  # UnicodeError: no name that DNS could carry
            lookup.error = error
        finally:
            with self._lock:
                del self._underway[name]
            lookup.done.set()
