"""What a check is: one question to one dependency, and why the answer was no, in one word."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from app.net.clock import clock as default_clock
from app.net.deadline import Deadline
from app.net.reason import Reason, causes, reason_of


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
    """Asks one dependency.

    `run` is called by one thread at a time; `abort` may be called from any other.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def run(self, deadline: Deadline) -> None:
        """Return if the dependency is connected, raise any Exception if it is not, by `deadline`."""

    def reason_of(self, cause: BaseException) -> Reason | None:
        """The word for one exception of a chain; a kind adds the exceptions of its own client."""
        return cause.reason if isinstance(cause, CheckFailed) else reason_of(cause)

    def reason(self, error: BaseException) -> Reason:
        """The one word for what `run` raised: that of the outermost cause that has one."""
        return next(filter(None, map(self.reason_of, causes(error))), Reason.ERROR)

    def abort(self) -> None:  # noqa: B027
        """End a run that is past its deadline, from another thread. Does not block."""

    def close(self) -> None:  # noqa: B027
        """Let go of the client and its sockets; nothing is run after this."""


def perform(check: Check, timeout: float, clock: Callable[[], float] = default_clock) -> Outcome:
    """Run `check` once, time it, and name what it raised. Raises nothing that is an Exception."""
    began = clock()
    try:
        check.run(Deadline(timeout, clock))
    except Exception as error:
        return Outcome(check.reason(error), clock() - began, error)
    return Outcome(None, clock() - began)
