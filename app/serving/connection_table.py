"""The connections that no thread works on: each in one stage, and for how long it may be there."""

from collections import OrderedDict
from enum import Enum
from typing import Generic, TypeVar

NEVER = float("inf")

Client = TypeVar("Client")


class Stage(Enum):
    """What a connection waits for."""

    HEAD = "the first or the next bytes of a request's head"
    IDLE = "another request"
    CLOSING = "the peer's end, after ours"


class ConnectionTable(Generic[Client]):
    """Connections by stage, in the order in which they entered it. Used by one thread.

    `limits`: seconds that a connection may be in each stage. Moments are of the caller's monotonic clock.
    """

    def __init__(self, limits: dict[Stage, float]) -> None:
        self._limits = limits
        self._entered: dict[Stage, OrderedDict[Client, float]] = {stage: OrderedDict() for stage in Stage}
        self._stages: dict[Client, Stage] = {}
        self._end = NEVER

    def __len__(self) -> int:
        return len(self._stages)

    def stage_of(self, client: Client) -> Stage | None:
        return self._stages.get(client)

    def put(self, client: Client, stage: Stage, now: float) -> None:
        """Have a connection enter a stage (also the one it is in, anew), from wherever it was."""
        before = self._stages.get(client)
        entered = self._entered[stage]
        entered[client] = now
        if before is stage:
            entered.move_to_end(client)
            return
        if before is not None:
            del self._entered[before][client]
        self._stages[client] = stage

    def take(self, client: Client) -> bool:
        """Have a connection out of the table; False if it was not there."""
        stage = self._stages.pop(client, None)
        if stage is None:
            return False
        del self._entered[stage][client]
        return True

    def end_by(self, moment: float) -> None:
        """From now on no connection may be here at `moment` or later."""
        self._end = moment

    def ends_at(self) -> float:
        """The moment at which the first connection reaches its limit (inf: there is none)."""
        first = NEVER
        for stage, entered in self._entered.items():
            if entered:
                since = next(iter(entered.values()))
                first = min(first, self._end, since + self._limits[stage])
        return first

    def overdue(self, now: float) -> list[Client]:
        """The connections that have reached their limit."""
        late: list[Client] = []
        for stage, entered in self._entered.items():
            since = now if now >= self._end else now - self._limits[stage]
            for client, moment in entered.items():
                if moment > since:
                    break
                late.append(client)
        return late

    def longest(self) -> Client | None:
        """The connection to close if one must: one that is closing already, else the one longest in its stage."""
        firsts = {stage: next(iter(entered.items())) for stage, entered in self._entered.items() if entered}
        if Stage.CLOSING in firsts:
            return firsts[Stage.CLOSING][0]
        return min(firsts.values(), key=lambda first: first[1])[0] if firsts else None
