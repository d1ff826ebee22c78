"""Hand-written fakes of clocks, sockets, connections and the pool that dials."""

import logging
import threading

from app.connections.connection import Connection, Direction, State
from app.connections.deadline import Cancelled
from app.connections.dialler import DialFailed

DEADLINE = 10.0
"""Seconds that a test waits at most for something that should happen at once."""


class LogLines(logging.Handler):
    """Collects what a logger says from INFO on, and keeps it from the terminal, during `test`."""

    def __init__(self, test, name):
        super().__init__(logging.INFO)
        self.lines = []
        logger = logging.getLogger(name)
        before = logger.level, logger.propagate
        logger.addHandler(self)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        test.addCleanup(self._restore, logger, *before)

    def emit(self, record):
        self.lines.append(f"{record.levelname} {record.getMessage()}")

    def _restore(self, logger, level, propagate):
        logger.removeHandler(self)
        logger.setLevel(level)
        logger.propagate = propagate


class ScriptedClock:
    """A clock that stands still until it is advanced."""

    def __init__(self, now=100.0):
        self.now = now

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += seconds


class FakeSocket:
    """A WebSocket as Outbound sees one; `end` ends it without telling."""

    def __init__(self):
        self.alive = True
        self.closes = []
        self.finishes = []

    def is_alive(self):
        return self.alive

    def ending(self):
        return "1006 'gone'"

    def close(self, reason=None, message=None):
        self.closes.append(reason)
        self.alive = False
        return True

    def finish(self, timeout=1.0):
        self.finishes.append(timeout)


class ScriptedDial:
    """Gives what `script` holds, one at each call: a socket, or an exception to raise."""

    def __init__(self, *script):
        self.script = list(script)
        self.calls = 0
        self.on_end = None
        self.on_message = None

    def __call__(self, on_message, on_end, cancelled):
        self.calls += 1
        self.on_message, self.on_end = on_message, on_end
        if cancelled():
            raise Cancelled
        outcome = self.script.pop(0) if self.script else DialFailed("refused")
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


class FakeConnection(Connection):
    """A connection whose health, due time and reactions a test sets."""

    def __init__(self, connection_id, direction=Direction.OUTBOUND, healthy=True, due=None):
        super().__init__(connection_id, State.CONNECTED)
        self.direction = direction
        self.healthy = healthy
        self.due_at = due
        self.recovers = direction is Direction.OUTBOUND
        self.reconnects = self.recoveries = 0
        self.closes = []
        self.finishes = []
        self.reconnected = threading.Event()

    @property
    def due(self):
        return self.due_at

    def is_healthy(self):
        if isinstance(self.healthy, Exception):
            raise self.healthy
        return self.healthy

    def reconnect(self, cancelled=lambda: False):
        self.reconnects += 1
        self.due_at = None
        self.reconnected.set()
        return True

    def recover(self):
        self.recoveries += 1
        return self.recovers

    def close(self, code=1001, message=""):
        self.closes.append(code)
        return True

    def finish(self, timeout):
        self.finishes.append(timeout)

    def enter(self, state):
        with self._lock:
            self._enter(state)
        self._tell(state)


class FakePool:
    """Keeps what is submitted, for the test to run."""

    def __init__(self):
        self.submitted = []
        self.stopped = False

    def submit(self, connection):
        self.submitted.append(connection)

    def stop(self):
        self.stopped = True

    def join(self, timeout):
        pass
