"""The connections that no thread works on: each in one stage, with the time that it may spend there."""

import math
from collections import OrderedDict
from collections.abc import Collection
from enum import Enum
from typing import Generic, TypeVar

# A round trip over a slow network, and some time for the client.
FIRST_BYTE_SECONDS = 0.25

Client = TypeVar("Client")


class Stage(Enum):
    """What a connection waits for. A connection in an earlier one is missed less."""

    CLOSING = "the peer's end, after ours"
    NEW = "the first byte of its first request"
    HEAD = "the rest of a request's head"
    SENDING = "room for the rest of an answer"
    IDLE = "another request"
    PARKED = "the answer to its probe"

    __hash__ = object.__hash__  # Enum's own is Python code, and each probe would run it several times


class ConnectionTable(Generic[Client]):
    """Connections by stage, in the order in which they entered it. Used by one thread.

    `limits`: seconds that a connection may be in each stage. In a stage without a limit a connection is neither overdue
    nor expendable. Moments are of the caller's monotonic clock.
    """

    def __init__(self, limits: dict[Stage, float]) -> None:
        self._limits = limits
        self._entered: dict[Stage, OrderedDict[Client, float]] = {stage: OrderedDict() for stage in Stage}
        self._limited = {stage: entered for stage, entered in self._entered.items() if stage in limits}
        self._stages: dict[Client, Stage] = {}
        self._end = math.inf

    def __len__(self) -> int:
        return len(self._stages)

    def stage_of(self, client: Client) -> Stage | None:
        return self._stages.get(client)

    def within(self, stage: Stage) -> Collection[Client]:
        """The connections in a stage, the one that entered it first at the beginning."""
        return self._entered[stage]

    def put(self, client: Client, stage: Stage, now: float) -> bool:
        """Have a connection enter a stage, or the one that it is in anew; True if it was not in the table."""
        before = self._stages.get(client)
        entered = self._entered[stage]
        entered[client] = now
        if before is stage:
            entered.move_to_end(client)
            return False
        if before is not None:
            del self._entered[before][client]
        self._stages[client] = stage
        return before is None

    def take(self, client: Client) -> bool:
        """Remove a connection from the table; False if it was not in it."""
        stage = self._stages.pop(client, None)
        if stage is None:
            return False
        del self._entered[stage][client]
        return True

    def end_by(self, moment: float) -> None:
        """From now on no connection may be here at `moment` or later, but for one that is being answered."""
        self._end = moment

    def ends_at(self) -> float:
        """The moment at which the first connection reaches its limit; infinite if there is no connection."""
        first = math.inf
        for stage, entered in self._limited.items():
            if entered:
                since = next(iter(entered.values()))
                first = min(first, self._end_of(stage), since + self._limits[stage])
        return first

    def overdue(self, now: float) -> list[Client]:
        """The connections that have reached their limit."""
        late: list[Client] = []
        for stage, entered in self._limited.items():
            since = now if now >= self._end_of(stage) else now - self._limits[stage]
            for client, moment in entered.items():
                if moment > since:
                    break
                late.append(client)
        return late

    def expendable(self, now: float) -> Client | None:
        """The connection to close if one must be: of the earliest stage, the one that entered it first.

        New ones are spared while their first byte may be on its way: otherwise, with all places taken by connections that
        have been answered or have sent half a request, each new connection would be the next one to go.
        """
        spared = Stage.NEW if now - next(iter(self._entered[Stage.NEW].values()), now) < FIRST_BYTE_SECONDS else None
        return next(
            (next(iter(entered)) for stage, entered in self._limited.items() if entered and stage is not spared), None
        )

    def _end_of(self, stage: Stage) -> float:
        return math.inf if stage is Stage.SENDING else self._end
