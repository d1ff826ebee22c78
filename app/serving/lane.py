"""The lane: probes that the worker's loop itself answers, from the current report, without a pool thread.

The answers are the blueprint's, header for header.
"""

import math
import time
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, Protocol, TypeVar

from app.health.answers import HEALTH, LIVE, ProbeAnswers
from app.health.probers import PIPED_SECONDS, Asked, Prober, Probers
from app.health.report import Report
from app.health.watch import HealthWatch, Waits
from app.serving import answer_bytes
from app.serving.request_head import ProbeRequest, recognise


class Remembering(Protocol):
    """A client's connection. It remembers its prober, so that only its first probe looks that up."""

    address: str
    prober: Prober | None


Client = TypeVar("Client", bound=Remembering)
Rendered = tuple[bytes, bool]
"""A response, and whether the connection is closed after it."""


class Parked(NamedTuple):
    """A probe that waits for `waits`, until the moment `until` at most."""

    request: ProbeRequest
    asked: Asked
    waits: Waits
    until: float


class Lane(Generic[Client]):
    """Answers probes; used by one thread.

    The moments of a wait are of the clock `loop`, by which that thread sleeps: it stands still while the machine does,
    unlike the clock of the ages (app.net.clock).
    """

    def __init__(
        self,
        watch: HealthWatch,
        answers: ProbeAnswers,
        probers: Probers,
        draining: Callable[[], bool],
        wall: Callable[[], float] = time.time,
        loop: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watch = watch
        self._answers = answers
        self._routes = answers.routes
        self._probers = probers
        self._draining = draining
        self._clock = probers.clock
        self._wall = wall
        self._loop = loop
        self._parked: dict[Client, Parked] = {}
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

    def answer(self, client: Client, request: ProbeRequest) -> Rendered | None:
        """The answer to a probe; None if it has to wait: `over` yields it later."""
        path, product, prober = request.path, request.product, client.prober
        if prober is None or prober.product != product or prober.route != path:
            prober = client.prober = self._probers.find(client.address, product, path)
        now = self._clock()
        prober.asked(now)
        if path == LIVE:
            return self._rendered(request, None, prober)
        report, waits = self._watch.ask(now)
        if not waits:
            return self._rendered(request, report, prober)
        until = self._loop() + max(wait.until for _, wait in waits) - now
        self._park(client, Parked(request, Asked(prober, now), waits, until))
        return None

    def over(self, now: float) -> Iterator[tuple[Client, Rendered]]:
        """The parked probes whose wait is over, with their answers."""
        parked, self._parked, self.wakes_at = self._parked, {}, math.inf
        for client, each in parked.items():
            if now >= each.until or self._watch.arrived(each.waits):
                yield client, self._rendered(each.request, self._watch.current(), each.asked.prober)
            else:
                self._park(client, each)

    def hurry(self) -> tuple[Client, Rendered] | None:
        """End the wait of the probe that has been parked longest: its answer is what is known now. None if none waits."""
        client = next(iter(self._parked), None)
        if client is None:
            return None
        parked = self._parked.pop(client)
        return client, self._rendered(parked.request, self._watch.current(), parked.asked.prober)

    def abandoned(self, client: Client) -> bool:
        """Give up the probe of a client that has ended its side; False if it may still read the answer."""
        asked = self._parked[client].asked
        waited = self._clock() - asked.at
        if waited < PIPED_SECONDS:
            return False
        del self._parked[client]
        self._probers.gave_up(asked.prober, waited)
        return True

    def unsent(self, client: Client) -> None:
        """The answer to a client's probe could not be sent: it had left before."""
        if client.prober is not None:
            self._probers.gave_up(client.prober, None)

    def _park(self, client: Client, parked: Parked) -> None:
        self._parked[client] = parked
        self.wakes_at = min(self.wakes_at, parked.until)

    def _rendered(self, request: ProbeRequest, report: Report | None, prober: Prober) -> Rendered:
        path, head_only, minor, keep_alive, _ = request
        moment = self._wall()
        status, body = self._answers.answer(path, report, int(moment * 1000))
        prober.last_status = status
        second = int(moment)
        if second != self._second:
            self._second = second
            self._heads.clear()
        close = not keep_alive or self._draining()
        # Only /health varies in its format.
        which = minor, status, close, len(body), path == HEALTH
        head = self._heads.get(which)
        if head is None:
            head = self._heads[which] = answer_bytes.head(*which, moment=moment)
        return head if head_only else head + body, close
