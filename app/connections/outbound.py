"""A connection that we dial, and dial again when it is lost."""

import logging
import random
import time
from collections.abc import Callable

from app.connections.backoff import Backoff
from app.connections.connection import Connection, Direction, Socket, State
from app.connections.deadline import Cancelled
from app.connections.dialler import DialFailed
from app.connections.message_hook import MessageHook
from app.tally import Tally

OUTCOMES = ("success", "failure", "gave_up")

log = logging.getLogger(__name__)


# One bounded attempt: dial(on_message, on_end, cancelled). Raises DialFailed; Cancelled soon after
# cancelled() turns true.
Dial = Callable[[Callable[[str | bytes], None], Callable[[Socket], object], Callable[[], bool]], Socket]


class Outbound(Connection):
    """An upstream. `reconnect` dials, called by whoever watches `due`; no backoff is waited here.

    `on_message(id, message)` is called by the thread that reads; what it raises is logged.
    `reconnects` counts attempts by outcome, the first one included: success, failure; and gave_up,
    once each time that all attempts are used up.
    """

    direction = Direction.OUTBOUND

    def __init__(
        self,
        name: str,
        dial: Dial,
        backoff: Backoff,
        *,
        reconnects: Tally[str] | None = None,
        on_message: Callable[[str, str | bytes], None] | None = None,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(name, State.CONNECTING, wall_clock)
        self._dial = dial
        self._backoff = backoff
        self._reconnects = reconnects or Tally(OUTCOMES)
        self._hook = MessageHook(name, on_message)
        self._jitter = jitter
        self._clock = clock
        # guarded by _lock:
        self._due: float | None = clock()
        self._dialling = False
        self._failures = 0
        self._socket: Socket | None = None
        self._turned = clock()  # when it was last connected or lost

    @property
    def due(self) -> float | None:
        return self._due

    @property
    def attempts(self) -> int:
        with self._lock:
            held = self._clock() - self._turned
            settled = self._state is State.CONNECTED and self._backoff.settled(held)
            return 0 if settled else self._failures

    @property
    def messages(self) -> int:
        """Received since the start."""
        return self._hook.count

    def is_healthy(self) -> bool:
        socket = self._socket
        return self._state is State.CONNECTED and socket is not None and socket.is_alive()

    def reconnect(self, cancelled: Callable[[], bool] = lambda: False) -> bool:
        if not self.begin_dial():
            return False
        try:
            socket = self._dial(self._hook, self.lost, lambda: self._state is State.CLOSED or cancelled())
        except Cancelled:
            self.dial_cancelled()
        except DialFailed as failure:
            self.dial_failed(str(failure))
        except Exception:
            log.exception("upstream %s: a defect in dialling", self.id)
            self.dial_failed("error")
        else:
            return self.dial_succeeded(socket)
        return False

    def recover(self) -> bool:
        socket = self._socket
        if socket is not None and not socket.is_alive():
            self.lost(socket)
        return self._state is not State.CLOSED

    def finish(self, timeout: float) -> None:
        socket = self._socket
        if socket is not None:
            socket.finish(timeout)

    # transitions

    def begin_dial(self) -> bool:
        """Won by one caller each time that an attempt is due: two never dial at once."""
        with self._lock:
            now = self._clock()
            if self._dialling or self._due is None or now < self._due:
                return False
            self._dialling, self._due = True, None
            rested = self._state is State.FAILED and self._enter(State.RECONNECTING)
            if rested:
                self._failures = 0
        if rested:
            log.info("upstream %s: rested, dialling again", self.id)
            self._tell(State.RECONNECTING)
        return True

    def dial_succeeded(self, socket: Socket) -> bool:
        """False: it was closed meanwhile, and `socket` is too."""
        with self._lock:
            self._dialling = False
            won = self._state is not State.CLOSED
            if won:
                self._enter(State.CONNECTED)
                now = self._clock()
                down, self._turned = now - self._turned, now
                failures, self._socket = self._failures, socket
        if not won:
            socket.close(1001)
            socket.finish(0)
            return False
        self._reconnects.count("success")
        log.info("upstream %s connected after %.1f s and %d failed attempts", self.id, down, failures)
        self._tell(State.CONNECTED)
        if not socket.is_alive():  # its end was told before it was ours
            self.lost(socket)
        return True

    def dial_failed(self, reason: str) -> bool:
        """One more failed attempt. False: it was closed meanwhile."""
        jitter = self._jitter()
        with self._lock:
            self._dialling = False
            if self._state is State.CLOSED:
                return False
            changed = self._fail(jitter)
            state, failures = self._state, self._failures
        self._reconnects.count("failure")
        down = changed and state is State.RECONNECTING
        log.log(
            logging.WARNING if down else logging.DEBUG,
            "upstream %s not reached, attempt %d: %s",
            self.id,
            failures,
            reason,
        )
        self._follow_up(changed, state, reason)
        return True

    def dial_cancelled(self) -> None:
        """As if it had not been tried."""
        with self._lock:
            self._dialling = False
            if self._state is not State.CLOSED:
                self._due = self._clock()

    def lost(self, socket: Socket) -> bool:
        """`socket` has ended. Won once, and only for the one in use.

        If it was lost before it had settled, that is one more failed attempt: a peer that accepts
        and drops is dialled on the schedule of one that does not accept.
        """
        jitter = self._jitter()
        with self._lock:
            if self._state is not State.CONNECTED or socket is not self._socket:
                return False
            now = self._clock()
            held, self._turned = now - self._turned, now
            self._socket = None
            if self._backoff.settled(held):
                self._failures, self._due = 0, now
                changed = self._enter(State.RECONNECTING)
            else:
                changed = self._fail(jitter)
            state = self._state
        reason = socket.ending()
        log.warning("upstream %s lost after %.1f s: %s", self.id, held, reason)
        self._follow_up(changed, state, reason)
        return True

    def close(self, code: int = 1001, message: str = "") -> bool:
        with self._lock:
            if not self._enter(State.CLOSED):
                return False
            self._due = None
            socket = self._socket
        log.info("upstream %s closed", self.id)
        if socket is not None:
            socket.close(code, message)
        self._tell(State.CLOSED)
        return True

    def _fail(self, jitter: float) -> bool:
        """With the lock held: count a failure, plan what follows; whether the state changed."""
        self._failures += 1
        delay = self._backoff.delay(self._failures, jitter)
        self._due = None if delay is None else self._clock() + delay
        exhausted = self._backoff.exhausted(self._failures)
        return self._enter(State.FAILED if exhausted else State.RECONNECTING)

    def _follow_up(self, changed: bool, state: State, reason: str) -> None:
        if state is State.FAILED:
            self._reconnects.count("gave_up")
            rest = self._backoff.cooldown
            log.error(
                "upstream %s: max reconnection attempts reached (%d, last: %s), %s",
                self.id,
                self._backoff.max_attempts,
                reason,
                f"next in {rest:g} s" if rest else "not dialled again",
            )
        if changed:
            self._tell(state)
