"""A WebSocket on simple-websocket's classes: their handshakes, a reader and writes of our own."""

import functools
import logging
import math
import threading
from collections.abc import Callable
from typing import Any

from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError

from app.connections.intake import Intake, Violation
from app.connections.sender import LINGER, Sender, cause
from app.connections.wire import CHUNK

NOT_CLOSED_BY_PEER = (ConnectionState.OPEN, ConnectionState.LOCAL_CLOSING)

log = logging.getLogger(__name__)


class WebSocket(Sender):
    """What both directions share, used as `class X(WebSocket, Client)`: Sender, and the reader.

    `on_message` and `on_end` may be set later than at the start. `receive` is simple-websocket's.
    """

    def prepare(
        self,
        *,
        name: str,
        ping_interval: float,
        intake: Intake,
        on_message: Callable[[str | bytes], None] | None,
        on_end: Callable[[Any], object] | None,
        clock: Callable[[], float],
    ) -> dict[str, Any]:
        """Set what the reader needs; the arguments for the constructor, which starts it.

        `name` is the reader thread's, `ping_interval` in seconds. That thread calls
        `on_message(message)` and, once, when all is over, `on_end(websocket)`.
        """
        self.prepare_sending()
        self.on_message = on_message
        self.on_end = on_end
        self._interval = ping_interval
        self._intake = intake
        self._clock = clock
        self._pong_due = False
        # a daemon: simple-websocket's own thread would hold up the interpreter's exit
        reader = functools.partial(threading.Thread, name=name, daemon=True)
        return {"receive_bytes": CHUNK, "ping_interval": ping_interval, "thread_class": reader}

    def _thread(self) -> None:
        try:
            # what came in one segment with the handshake: simple-websocket waits for more first
            self._handle()
            self._read()
        except Violation as violation:
            self._refuse(violation.code, str(violation))
        except (OSError, LocalProtocolError) as error:
            self._end(CloseReason.ABNORMAL_CLOSURE, cause(error))
        except BaseException:  # whatever a handler raises ends this connection and nothing else
            log.exception("%s: its reader failed", self.thread.name)
            self._refuse(CloseReason.INTERNAL_ERROR, None)
        finally:
            self._end(CloseReason.ABNORMAL_CLOSURE, "closed without a close frame")
            self.sock.close()
            if self.on_end is not None:
                self.on_end(self)

    def _read(self) -> None:
        next_ping = self._clock() + self._interval
        close_by = math.inf
        while self.ws.state in NOT_CLOSED_BY_PEER:
            now = self._clock()
            if not self.connected:  # the answer to our close frame may stand behind messages
                close_by = min(close_by, now + LINGER)
                if now >= close_by:
                    return
            data = self.sock.recv(CHUNK, max(0.0, min(next_ping, close_by) - now))
            if data:
                self.ws.receive_data(data)
                self._handle()
            elif data is not None or not self.connected:
                return  # the peer has ended, or does not answer
            elif self._pong_due:
                # judged when nothing is left to read: a busy peer's pong stands behind its messages
                self.close(CloseReason.POLICY_VIOLATION, "no answer to a ping")
                return
            else:
                self._pong_due = True
                self._say(Ping())
                next_ping = self._clock() + self._interval
        self._flush_behind_message()

    def _handle(self) -> None:
        for event in self.ws.events():
            if isinstance(event, (TextMessage, BytesMessage)):
                message = self._intake.take(event)
                if message is not None and self.connected:
                    self._deliver(message)
            elif isinstance(event, CloseConnection):
                if self.ws.state in NOT_CLOSED_BY_PEER:  # wsproto's word for a breach of protocol
                    raise Violation(event.code, event.reason or "protocol error")
                self._end(event.code, event.reason)
                # simple-websocket's client would leave it unanswered
                self._control.append(event.response())
            else:
                self._intake.count_frame()
                if isinstance(event, Ping):
                    self._control.append(event.response())
                elif isinstance(event, Pong):
                    self._pong_due = False
        self._flush()

    def _deliver(self, message: str | bytes) -> None:
        if self.on_message is not None:
            self.on_message(message)

    def _refuse(self, code: int, message: str | None) -> None:
        if self.close(code, message):
            self._flush_behind_message()
            self.sock.drain(LINGER)
