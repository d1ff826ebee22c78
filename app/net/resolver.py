"""Names to addresses, by a look-up that can be left behind: getaddrinfo has no timeout."""

import socket
import threading
from collections.abc import Callable
from typing import Any

from app.net.deadline import Deadline

# family, type, protocol, canonical name, socket address
Address = tuple[int, int, int, str, Any]


class _Lookup:
    """One call of getaddrinfo in a thread; `done` is set once `addresses` or `error` is."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.addresses: list[Address] = []
        self.error: Exception | None = None


class Resolver:
    """Looks names up, in at most one daemon thread per name and port: later callers join a look-up that hangs."""

    def __init__(self, getaddrinfo: Callable[..., list[Any]] = socket.getaddrinfo) -> None:
        self._getaddrinfo = getaddrinfo
        self._lock = threading.Lock()  # guards _underway
        self._underway: dict[tuple[str, int], _Lookup] = {}

    def resolve(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        """The stream addresses of `host`, at least one, in the order to try them.

        Raises socket.gaierror; TimeoutError at the deadline, and the look-up goes on without its caller; RuntimeError
        when the system gives no thread.
        """
        try:  # an address in digits needs neither a look-up nor a thread
            return self._getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except (socket.gaierror, UnicodeError):
            pass
        lookup = self._join_or_start((host, port))
        if not lookup.done.wait(deadline.remaining()):
            raise TimeoutError("the name look-up has not ended")
        if lookup.error is not None:
            code = lookup.error.errno if isinstance(lookup.error, socket.gaierror) else socket.EAI_NONAME
            raise socket.gaierror(code, "no address") from lookup.error
        return lookup.addresses

    def _join_or_start(self, name: tuple[str, int]) -> _Lookup:
        with self._lock:
            lookup = self._underway.get(name)
            if lookup is None:
                lookup = _Lookup()
                # Entered only once its thread runs: no caller may wait for a look-up that never began. The thread
                # cannot leave before it is entered, because leaving takes this lock.
                threading.Thread(target=self._look_up, args=(name, lookup), name="resolve", daemon=True).start()
                self._underway[name] = lookup
        return lookup

    def _look_up(self, name: tuple[str, int], lookup: _Lookup) -> None:
        try:
            lookup.addresses = self._getaddrinfo(*name, type=socket.SOCK_STREAM)
        except Exception as error:  # UnicodeError, for one: a name that DNS could not carry
            lookup.error = error
        finally:
            with self._lock:
                del self._underway[name]
            lookup.done.set()
