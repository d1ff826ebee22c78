"""What checks share that ask over one connection and keep it."""

from abc import abstractmethod
from typing import Generic, Protocol, TypeVar

from app.checks.check import Check
from app.net.cutoff import Cutoff
from app.net.deadline import Deadline
from app.net.reason import Reason


class Closable(Protocol):
    def close(self) -> None: ...


Connection = TypeVar("Connection", bound=Closable)


class KeptCheck(Check, Generic[Connection]):
    """Asks over one connection, which is kept from check to check and replaced once when it turns out to be lost.

    A subclass gives each socket that it opens to `self.cutoff`.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.cutoff = Cutoff()
        self._kept: Connection | None = None

    @abstractmethod
    def connect(self, deadline: Deadline) -> Connection:
        """A new connection, authenticated. Raises any Exception, and leaves nothing open then."""

    @abstractmethod
    def ask(self, connection: Connection, deadline: Deadline) -> None:
        """Return if the dependency is connected, raise any Exception if it is not."""

    def run(self, deadline: Deadline) -> None:
        """See Check."""
        kept, self._kept = self._kept, None
        if kept is not None:
            cuts = self.cutoff.cuts
            try:
                return self._ask_and_keep(kept, deadline)
            except Exception as error:
                if self.cause(error).reason is not Reason.CLOSED or self.cutoff.cuts != cuts:
                    raise
        try:
            connection = self.connect(deadline)
        except BaseException:
            self.cutoff.release()
            raise
        self._ask_and_keep(connection, deadline)

    def _ask_and_keep(self, connection: Connection, deadline: Deadline) -> None:
        try:
            self.ask(connection, deadline)
        except BaseException:
            connection.close()
            self.cutoff.release()  # its duplicate would keep the connection open
            raise
        self._kept = connection

    def abort(self) -> None:
        """See Check."""
        self.cutoff.cut()

    def close(self) -> None:
        """See Check."""
        if self._kept is not None:
            self._kept.close()
        self.cutoff.release()
