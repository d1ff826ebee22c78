"""What a check is: one question to one dependency, and why the answer was no, in one word."""

import socket
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from errno import EHOSTDOWN, EHOSTUNREACH, ENETDOWN, ENETUNREACH

UNREACHABLE_ERRNOS = frozenset({EHOSTDOWN, EHOSTUNREACH, ENETDOWN, ENETUNREACH})


class Reason(StrEnum):
    """Why a dependency is disconnected: a closed list, safe to show to anyone."""

    PENDING = "pending"
    STALE = "stale"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    CLOSED = "closed"
    UNREACHABLE = "unreachable"
    DNS = "dns"
    TLS = "tls"
    AUTH = "auth"
    NO_PRIMARY = "no_primary"
    HTTP_STATUS = "http_status"
    REDIRECT = "redirect"
    PROTOCOL = "protocol"
    ERROR = "error"


class CheckFailed(Exception):
    """The dependency answered, and the answer is no."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one check ended.

    `reason` is None if the dependency is connected; `latency` is in seconds; `error` is for the log only.
    """

    reason: Reason | None
    latency: float
    error: BaseException | None = None


class Check(ABC):
    """Asks one dependency, within `timeout` seconds.

    A subclass says in `_ask` only what happens when all is well; timing, catching and naming what went wrong
    is done here. `run` is called by one thread at a time; `abort` may be called from any other.
    """

    def __init__(self, name: str, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.timeout = timeout
        self._clock = clock

    def run(self) -> Outcome:
        """One check. Raises nothing that is an Exception."""
        began = self._clock()
        try:
            self._ask(began + self.timeout)
        except Exception as error:
            outcome = Outcome(self._reason(error), self._clock() - began, error)
        else:
            outcome = Outcome(None, self._clock() - began)
        self._tidy(began + self.timeout)
        return outcome

    @abstractmethod
    def _ask(self, deadline: float) -> None:
        """Return if the dependency is there, raise if not, by `deadline` (of the clock)."""

    def _tidy(self, deadline: float) -> None:  # noqa: B027
        """What is left to do once the answer is known; its time is not the dependency's."""

    def abort(self) -> None:  # noqa: B027
        """End a check that is past its deadline, from another thread. Does not block."""

    def close(self) -> None:  # noqa: B027
        """Let go of the client and its sockets; no check is run after this."""

    def _left(self, deadline: float) -> float:
        """Seconds left until `deadline`. Raises TimeoutError if there are none."""
        left = deadline - self._clock()
        if left <= 0:
            raise TimeoutError("no time left for this check")
        return left

    def _reason(self, error: BaseException) -> Reason:
        """The one word for `error`: the outermost cause that has one."""
        for cause in causes(error):
            if (reason := self._reason_of_cause(cause)) is not None:
                return reason
        return Reason.ERROR

    def _reason_of_cause(self, cause: BaseException) -> Reason | None:
        """The word for one exception of a chain; a subclass adds its own client's exceptions."""
        match cause:
            case CheckFailed(reason=reason):
                return reason
            case socket.gaierror():
                return Reason.DNS
            case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
                return Reason.CLOSED
            case TimeoutError():
                return Reason.TIMEOUT
            case ssl.SSLError():
                return Reason.TLS
            case ConnectionRefusedError():
                return Reason.REFUSED
            case ConnectionError():
                return Reason.CLOSED
            case OSError() if cause.errno in UNREACHABLE_ERRNOS:
                return Reason.UNREACHABLE
        return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """`error`, then what caused it, and so on to the root."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
