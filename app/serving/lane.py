"""The lane: probes that the worker's loop itself answers, from the current report, without a pool thread.

The answers are the blueprint's, header for header.
"""

import math
import time
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

from app.health.answers import HEALTH, LIVE, ProbeAnswers
from app.health.report import Report
from app.health.watch import HealthWatch, Waits
from app.serving import answer_bytes
from app.serving.request_head import ProbeRequest, recognise

Client = TypeVar("Client")


class Parked(NamedTuple, Generic[Client]):
    """A client whose probe waits for `waits`, until the moment `until` at most."""

    client: Client
    request: ProbeRequest
    waits: Waits
    until: float


class Lane(Generic[Client]):
    """Answers probes; used by one thread."""

    def __init__(
        self,
        watch: HealthWatch,
        answers: ProbeAnswers,
        draining: Callable[[], bool],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._watch = watch
        self._answers = answers
        self._routes = answers.routes
        self._draining = draining
        self._wall = wall
        self._parked: list[Parked[Client]] = []
        self.wakes_at = math.inf
        """The moment at which the first wait is over; infinite if no probe waits."""
        # Heads rendered in this second: in the next one their Date is wrong. They save 6 µs of a probe (bin/bench).
        self._heads: dict[tuple[int, int, bool, int, bool], bytes] = {}
        self._second = 0

    def __len__(self) -> int:
        return len(self._parked)

    def recognise(self, data: bytes | bytearray) -> ProbeRequest | None:
        """The probe that `data` is, exactly and with nothing behind it, by its route; None if it is anything else."""
        request = recognise(data)
        if request is None or (route := self._routes.get(request.path)) is None:
            return None
        return request if route == request.path else request._replace(path=route)

    def closes(self, request: ProbeRequest) -> bool:
        """Whether the connection is closed after the answer."""
        return not request.keep_alive or self._draining()

    def answer(self, client: Client, request: ProbeRequest) -> bytes | None:
        """The answer to a probe; None if it has to wait: `over` yields it later."""
        if request.path == LIVE:
            return self._rendered(request, None)
        report, waits = self._watch.ask()
        if not waits:
            return self._rendered(request, report)
        until = max(wait.until for _, wait in waits)
        self._park(Parked(client, request, waits, until))
        return None

    def over(self, now: float) -> Iterator[tuple[Client, ProbeRequest, bytes]]:
        """The parked probes whose wait is over, with their answers."""
        parked, self._parked, self.wakes_at = self._parked, [], math.inf
        for each in parked:
            if now >= each.until or self._watch.arrived(each.waits):
                yield each.client, each.request, self._rendered(each.request, self._watch.current())
            else:
                self._park(each)

    def _park(self, parked: Parked[Client]) -> None:
        self._parked.append(parked)
        self.wakes_at = min(self.wakes_at, parked.until)

    def _rendered(self, request: ProbeRequest, report: Report | None) -> bytes:
        moment = self._wall()
        answer = self._answers.answer(request.path, report, int(moment * 1000))
        if int(moment) != self._second:
            self._second = int(moment)
            self._heads.clear()
        # Only /health varies in its format.
        which = request.minor, answer.status, self.closes(request), len(answer.body), request.path == HEALTH
        head = self._heads.get(which)
        if head is None:
            head = self._heads[which] = answer_bytes.head(*which, moment=moment)
        return head if request.head_only else head + answer.body
