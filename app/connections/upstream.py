"""A WebSocket server that we dial, and dial again when it is lost."""

import logging
import random
import threading
from collections.abc import Callable
from typing import Any

from wsproto.frame_protocol import CloseReason

from app.connections.backoff import Backoff
from app.connections.connection import Connection, Direction, State
from app.connections.dialler import DialFailed, Dialler
from app.connections.target import Target
from app.connections.websocket import WebSocket
from app.net.clock import clock as default_clock
from app.net.reason import Reason
from app.tally import Tally

OUTCOMES = ("success", "failure", "gave_up")

log = logging.getLogger(__name__)


class Upstream(Connection):
    """Its thread, `upstream-NAME`, does one turn after the other, until it is closed.

    `outcomes` counts attempts, the first one included: success, failure; and gave_up once for each time that all
    attempts are used up. `jitter` returns a random number from 0 up to 1; `wait(seconds)` sleeps (None: for ever), and
    returns at once when the upstream is closed.
    """

    direction = Direction.OUTBOUND

    def __init__(
        self,
        name: str,
        target: Target,
        dialler: Dialler,
        backoff: Backoff,
        outcomes: Tally[str],
        *,
        jitter: Callable[[], float] = random.random,
        wait: Callable[[float | None], object] | None = None,
        clock: Callable[[], float] = default_clock,
        **options: Any,
    ) -> None:
        super().__init__(name, State.CONNECTING, **options)
        self._reason: Reason | None = Reason.PENDING
        self._target = target
        self._dialler = dialler
        self._backoff = backoff
        self._outcomes = outcomes
        self._jitter = jitter
        self._stop = threading.Event()
        self._wait = wait or self._stop.wait
        self._clock = clock
        self._failures = 0
        self._turned = clock()  # when it was last connected or lost
        self._websocket: WebSocket | None = None
        self._thread: threading.Thread | None = None

    @property
    def attempts(self) -> int:
        """See Connection."""
        settled = self._state is State.CONNECTED and self._backoff.settled(self._clock() - self._turned)
        return 0 if settled else self._failures

    @property
    def reason(self) -> Reason | None:
        """See Connection."""
        return self._reason

    def start(self) -> None:
        """Start the thread. Where the system has none to give, the next sweep tries again."""
        thread = threading.Thread(target=self.run, name=f"upstream-{self.id}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            log.warning("upstream %s has no thread until the next sweep: %s", self.id, error)
        else:
            self._thread = thread

    def run(self) -> None:
        """Turns, until the upstream is closed."""
        while not self._stop.is_set():
            self.turn()

    def turn(self) -> None:
        """Dial, read until the connection ends, and wait until the next attempt is due."""
        try:
            self._attempt()
        except Exception:
            log.exception("upstream %s: an attempt failed", self.id)
            self._fail(Reason.ERROR, Reason.ERROR)
        self._wait(self._backoff.delay(self._failures, self._jitter()))

    def sweep(self) -> bool:
        """See Connection: start the thread again if it has ended."""
        if self._state is State.CLOSED:
            return False
        if self._thread is None or not self._thread.is_alive():
            if self._websocket is not None:
                self._websocket.cut()
                self._websocket = None
                self._enter(State.RECONNECTING)
            self.start()
        return True

    def close(self, code: int, words: str = "") -> None:
        """See Connection."""
        if self._enter(State.CLOSED):
            log.info("upstream %s closed", self.id)
            self._stop.set()
            websocket = self._websocket
            if websocket is not None:
                websocket.close(code, words)

    def finish(self, timeout: float) -> None:
        """See Connection. A dial under way is not waited for."""
        websocket, thread = self._websocket, self._thread
        if websocket is not None and thread is not None:
            thread.join(timeout)
            websocket.cut()

    def _attempt(self) -> None:
        if self._state is State.FAILED:
            log.info("upstream %s: rested, dialling again", self.id)
            self._failures = 0
            self._enter(State.RECONNECTING)
        try:
            websocket = self._dialler.dial(self._target)
        except DialFailed as failure:
            if not self._stop.is_set():
                self._outcomes.count("failure")
                level = logging.WARNING if self._state is State.CONNECTING else logging.DEBUG
                log.log(level, "upstream %s not reached, attempt %d: %s", self.id, self._failures + 1, failure)
                self._fail(failure.reason, str(failure))
        else:
            self._hold(websocket)

    def _hold(self, websocket: WebSocket) -> None:
        """Keep the connection until it ends."""
        down, self._turned = self._clock() - self._turned, self._clock()
        self._reason = None
        self._websocket = websocket  # from now on `close` finds it
        self._enter(State.CONNECTED)
        if self._stop.is_set():
            websocket.close(CloseReason.GOING_AWAY)
        else:
            self._outcomes.count("success")
            log.info("upstream %s connected after %.1f s and %d failed attempts", self.id, down, self._failures)
        end = websocket.run(f"upstream {self.id}", websocket.receive_all)
        self._websocket = None
        held, self._turned = self._clock() - self._turned, self._clock()
        if self._stop.is_set():
            return
        log.warning("upstream %s lost after %.1f s: %s", self.id, held, end)
        if self._backoff.settled(held):
            self._failures, self._reason = 0, end.reason
            self._enter(State.RECONNECTING)
        else:
            # A peer that accepts and drops is dialled on the schedule of one that does not accept.
            self._fail(end.reason, str(end))

    def _fail(self, reason: Reason, words: str) -> None:
        """Count one more failed attempt."""
        self._failures, self._reason = self._failures + 1, reason
        if not self._backoff.exhausted(self._failures):
            self._enter(State.RECONNECTING)
        elif self._enter(State.FAILED):
            self._outcomes.count("gave_up")
            log.error("upstream %s: max reconnection attempts reached (%d, last: %s)", self.id, self._failures, words)
