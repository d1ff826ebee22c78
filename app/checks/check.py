"""What a check is: one question to one dependency, and why the answer was no, in one word."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field

from app.net.clock import clock as default_clock
from app.net.deadline import Deadline
from app.net.reason import CERTIFICATE_REFUSED, Cause, Reason, cause_of, causes
from app.net.resolver import Resolver

UNEXPECTED = Cause(Reason.ERROR, "unexpected error, see the log")


class CheckFailed(Exception):
    """The dependency answered, and the answer is no. `detail` as in Cause."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.cause = Cause(reason, detail)


@dataclass(frozen=True, slots=True)
class CheckConfig:
    """What a check is made from: the URL of the dependency, whole, and what every kind may need.

    `timeout` is that of one check, in seconds; `ca_bundle` the path of a PEM file. What follows is for HTTP alone.
    """

    name: str
    url: str = field(repr=False)
    timeout: float
    ca_bundle: str
    resolver: Resolver
    statuses: Container[int] = (200,)
    body_matches: re.Pattern[str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one check ended.

    `cause` is None if the dependency is connected; `latency` is in seconds; `error` is for the log only;
    `certificate_expires_at`, in Unix milliseconds, is None if the peer showed no certificate or it is not known.
    """

    cause: Cause | None
    latency: float
    error: BaseException | None = None
    certificate_expires_at: int | None = None

    @property
    def reason(self) -> Reason | None:
        return self.cause and self.cause.reason


class Check(ABC):
    """Asks one dependency.

    `run` is called by one thread at a time; `abort` may be called from any other.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.certificate_expires_at: int | None = None
        """When the certificate of the peer expires, in Unix milliseconds; kept from the newest connection."""

    @abstractmethod
    def run(self, deadline: Deadline) -> None:
        """Return if the dependency is connected, raise any Exception if it is not, by `deadline`."""

    def cause_of(self, error: BaseException) -> Cause | None:
        """The cause for one exception of a chain; a kind adds the exceptions of its own client."""
        return error.cause if isinstance(error, CheckFailed) else cause_of(error)

    def cause(self, error: BaseException) -> Cause:
        """The cause for what `run` raised: that of the outermost exception of the chain that has one."""
        return next(filter(None, map(self.cause_of, causes(error))), UNEXPECTED)

    def refuses_us(self, deadline: Deadline) -> bool:
        """Whether a second look shows that the peer, which closed the connection, requires a certificate of ours."""
        return False

    def abort(self) -> None:  # noqa: B027
        """End a run that is past its deadline, from another thread. Does not block."""

    def close(self) -> None:  # noqa: B027
        """Let go of the client and its sockets; nothing is run after this."""


def perform(check: Check, timeout: float, clock: Callable[[], float] = default_clock) -> Outcome:
    """Run `check` once, time it, and name what it raised. Raises nothing that is an Exception."""
    began = clock()
    deadline = Deadline(timeout, clock)
    try:
        check.run(deadline)
    except Exception as error:
        latency, cause = clock() - began, check.cause(error)
        if cause.reason is Reason.CLOSED and check.refuses_us(deadline):
            cause = CERTIFICATE_REFUSED
        return Outcome(cause, latency, error, check.certificate_expires_at)
    return Outcome(None, clock() - began, None, check.certificate_expires_at)
