"""A connection that we dial, and dial again when it is lost."""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Protocol

from app.connections.backoff import Backoff
from app.connections.connection import Connection, Direction, State
from app.connections.deadline import Cancelled
from app.connections.dialler import DialFailed
from app.connections.tally import Tally

log = logging.getLogger(__name__)


class Socket(Protocol):
    """What this module needs of a WebSocket; see transport.WebSocket."""

    def is_alive(self) -> bool: ...
    def ending(self) -> str: ...
    def close(self, reason: int | None = None, message: str | None = None) -> bool: ...
    def finish(self, timeout: float = ...) -> None: ...


class Dial(Protocol):
    """One bounded attempt. Raises DialFailed, or Cancelled soon after `cancelled()` turns true."""

    def __call__(self, *, on_message: Callable[[str | bytes], None], on_end: Callable[[Socket], None],
                 cancelled: Callable[[], bool]) -> Socket: ...


class Outbound(Connection):
    """An upstream. Dialled by `reconnect`, which whoever watches `due` calls; nothing here waits for a backoff.

    `on_message(id, message)` is called by the reader's thread; what it raises is logged and harmless. `reconnects`
    counts attempts by outcome, the first one included: success, failure, and beside them gave_up, once per FAILED.
    """

    direction = Direction.OUTBOUND

    def __init__(self, name: str, dial: Dial, backoff: Backoff, *, reconnects: Tally | None = None,
                 on_message: Callable[[str, str | bytes], None] | None = None,
                 jitter: Callable[[], float] = random.random, clock: Callable[[], float] = time.monotonic,
                 wall_clock: Callable[[], float] = time.time) -> None:
        super().__init__(name, State.CONNECTING, wall_clock)
        self._dial = dial
        self._backoff = backoff
        self._reconnects = reconnects or Tally()
        self._on_message = on_message
        self._jitter = jitter
        self._clock = clock
        # guarded by _lock:
        self._due: float | None = clock()
        self._dialling = False
        self._failures = 0
        self._socket: Socket | None = None
        self._changed_at = clock()  # when CONNECTED began or ended
        # the readers' own:
        self._count_lock = threading.Lock()  # guards _messages; two readers may overlap for a moment
        self._messages = 0
        self._hook_failing = False

    @property
    def due(self) -> float | None:
        return self._due

    @property
    def attempts(self) -> int:
        with self._lock:
            return self._failures_at(self._clock())

    @property
    def messages(self) -> int:
        """Received since the start."""
        return self._messages

    def is_healthy(self) -> bool:
        socket = self._socket
        return self._state is State.CONNECTED and socket is not None and socket.is_alive()

    def reconnect(self, cancelled: Callable[[], bool] = lambda: False) -> bool:
        if not self.begin_dial():
            return False
        try:
            socket = self._dial(on_message=self._received, on_end=self._ended,
                                cancelled=lambda: self._state is State.CLOSED or cancelled())
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
        """Won by one caller for each time that an attempt is due: two never dial at once."""
        with self._lock:
            now = self._clock()
            if self._dialling or self._due is None or now < self._due:
                return False
            self._dialling, self._due = True, None
            again = self._state is State.FAILED and self._enter(State.RECONNECTING)
            if again:
                self._failures = 0
        if again:
            log.info("upstream %s: rested, dialling again", self.id)
            self._tell(State.RECONNECTING)
        return True

    def dial_succeeded(self, socket: Socket) -> bool:
        with self._lock:
            self._dialling = False
            won = self._state is not State.CLOSED
            if won:
                self._enter(State.CONNECTED)
                now = self._clock()
                down, self._changed_at = now - self._changed_at, now
                failures = self._failures
                self._socket = socket
        if not won:
            socket.close(1001)
            socket.finish(0)
            return False
        self._reconnects.count("success")
        log.info("upstream %s connected after %.1f s, %d failed attempts", self.id, down, failures)
        self._tell(State.CONNECTED)
        if not socket.is_alive():  # its end was told before we knew it
            self.lost(socket)
        return True

    def dial_failed(self, reason: str) -> bool:
        jitter = self._jitter()
        with self._lock:
            self._dialling = False
            if self._state is State.CLOSED:
                return False
            changed = self._fail(jitter)
            state, failures = self._state, self._failures
        self._reconnects.count("failure")
        log.log(logging.WARNING if changed and state is State.RECONNECTING else logging.DEBUG,
                "upstream %s not reached, attempt %d: %s", self.id, failures, reason)
        self._after_failure(changed, state, reason)
        return True

    def dial_cancelled(self) -> None:
        with self._lock:
            self._dialling = False
            if self._state is not State.CLOSED:
                self._due = self._clock()

    def lost(self, socket: Socket) -> bool:
        """`socket` has ended. Won once, and only for the socket in use. One lost soon is one more failed attempt."""
        jitter = self._jitter()
        with self._lock:
            if self._state is not State.CONNECTED or socket is not self._socket:
                return False
            now = self._clock()
            held, self._changed_at = now - self._changed_at, now
            self._socket = None
            if self._backoff.settled(held):
                self._failures = 0
                self._due = now
                changed = self._enter(State.RECONNECTING)
            else:
                changed = self._fail(jitter)
            state = self._state
        reason = socket.ending()
        log.warning("upstream %s lost after %.1f s: %s", self.id, held, reason)
        self._after_failure(changed, state, reason)
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
        """With the lock held: count one failure and plan what follows; whether the state changed."""
        self._failures += 1
        delay = self._backoff.delay(self._failures, jitter)
        self._due = None if delay is None else self._clock() + delay
        return self._enter(State.FAILED if self._backoff.exhausted(self._failures) else State.RECONNECTING)

    def _failures_at(self, now: float) -> int:
        settled = self._state is State.CONNECTED and self._backoff.settled(now - self._changed_at)
        return 0 if settled else self._failures

    def _after_failure(self, changed: bool, state: State, reason: str) -> None:
        if state is State.FAILED:
            self._reconnects.count("gave_up")
            rest = f"next in {self._backoff.cooldown:g} s" if self._backoff.cooldown else "not dialled again"
            log.error("upstream %s: max reconnection attempts reached (%d, last: %s), %s", self.id,
                      self._backoff.max_attempts, reason, rest)
        if changed:
            self._tell(state)

    # the reader's thread

    def _ended(self, socket: Socket) -> None:
        self.lost(socket)

    def _received(self, message: str | bytes) -> None:
        with self._count_lock:
            self._messages += 1
        if self._on_message is None:
            return
        try:
            self._on_message(self.id, message)
            self._hook_failing = False
        except Exception:
            if not self._hook_failing:  # one line for a row of failures, whatever floods in
                log.exception("upstream %s: the message handler failed", self.id)
            self._hook_failing = True
