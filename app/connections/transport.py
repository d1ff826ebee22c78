"""A WebSocket on simple-websocket's classes: their handshakes, a reader and writes of our own."""

import functools
import logging
import math
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from simple_websocket import ConnectionClosed
from simple_websocket.ws import Base
from wsproto import WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError

from app.connections.intake import Intake, Violation
from app.connections.wire import CHUNK, Wire

LINGER = 1.0  # seconds that a peer gets to take and answer our close frame
CUT = 0.25  # seconds that a reader gets to end once its connection is cut
CONTROL_FRAMES = 16  # that wait behind a message; RFC 6455 5.5.3 lets all pongs but the last go
NOT_CLOSED_BY_PEER = (ConnectionState.OPEN, ConnectionState.LOCAL_CLOSING)

log = logging.getLogger(__name__)


class WebSocket(Base):
    """What both directions share, used as `class X(WebSocket, Client)`: send, close, the reader.

    For its user: `connected`, and once it is not, `close_reason` and `close_message`; `on_message`
    and `on_end` may be set later than at the start. simple-websocket's `receive` is as it was.
    """

    # simple-websocket ships no types
    connected: bool
    close_reason: int
    close_message: str | None
    event: threading.Event
    sock: Wire
    thread: threading.Thread
    ws: WSConnection

    def prepare(self, *, name: str, ping_interval: float, intake: Intake,
                on_message: Callable[[str | bytes], None] | None,
                on_end: Callable[[Any], object] | None,
                clock: Callable[[], float]) -> dict[str, Any]:
        """Set what the reader needs; the arguments for the constructor, which starts it.

        `name` is the reader thread's, `ping_interval` in seconds. That thread calls
        `on_message(message)` and, once, when all is over, `on_end(websocket)`.
        """
        self.on_message = on_message
        self.on_end = on_end
        self._interval = ping_interval
        self._intake = intake
        self._clock = clock
        # guards the turn of `connected` to False: whoever ends it first says why
        self._ending = threading.Lock()
        # held for the writing of one whole frame, so that none interleave
        self._sending = threading.Lock()
        # emptied by whoever holds _sending
        self._control: deque[Event] = deque(maxlen=CONTROL_FRAMES)
        self._pong_due = False  # the reader's own
        # a daemon: simple-websocket's own thread would hold up the interpreter's exit
        reader = functools.partial(threading.Thread, name=name, daemon=True)
        return {"receive_bytes": CHUNK, "ping_interval": ping_interval, "thread_class": reader}

    # for its user, from any thread

    def send(self, data: str | bytes) -> None:
        """Send one message, whole and in order. Raises simple_websocket.ConnectionClosed.

        Waits while the peer takes nothing, at most one ping interval: then the connection is over.
        """
        # simple-websocket's own takes no lock, and believes that socket.send takes everything
        with self._sending:
            if not self.connected:
                raise self.closed()
            message = TextMessage(data) if isinstance(data, str) else BytesMessage(data)
            try:
                self.sock.send(self.ws.send(message))
            except (OSError, LocalProtocolError) as error:
                self._break(error)
                raise self.closed() from error
        self._flush()

    def close(self, reason: int | None = None, message: str | None = None) -> bool:
        """Send a close frame with code `reason` (1000) and wake who waits in `receive`.

        True for the first only. Never waits: a peer that takes nothing gets no frame; whoever sends
        a message at this moment takes the frame along when done. The connection is over when the
        peer has answered: `finish` waits for that.
        """
        code = reason or CloseReason.NORMAL_CLOSURE
        if not self._end(code, message):
            return False
        self._say(CloseConnection(code, message))
        return True

    def abort(self) -> None:
        """End it now, without a word."""
        self._end(CloseReason.ABNORMAL_CLOSURE, "aborted")
        self.sock.shutdown()

    def finish(self, timeout: float = LINGER) -> None:
        """After `close`: give the peer `timeout` seconds to answer, then cut it off.

        On return the descriptor is closed, unless a callback holds the reader up. Called from a
        callback it does nothing.
        """
        if threading.current_thread() is self.thread:
            return
        self.thread.join(timeout)
        if self.thread.is_alive():
            self.abort()
            self.thread.join(CUT)

    def is_alive(self) -> bool:
        return self.connected and self.thread.is_alive()

    def closed(self) -> ConnectionClosed:
        return ConnectionClosed(self.close_reason, self.close_message)

    def ending(self) -> str:
        """Why it ended, for a log line: the peer's words are quoted."""
        return f"{int(self.close_reason)} {self.close_message or ''!r}"

    # control frames never wait for another thread's message

    def _say(self, event: Event) -> None:
        self._control.append(event)
        self._flush()

    def _flush(self) -> None:
        # Who comes too late for the lock leaves his frame to its holder, who looks again after.
        while self._control and self._sending.acquire(blocking=False):
            try:
                while self._control:
                    # a last word is not worth waiting for
                    stall = None if self.connected else 0
                    self.sock.send(self.ws.send(self._control.popleft()), stall)
            except LocalProtocolError:
                pass  # a pong or ping after the close frame: nothing may follow that
            except OSError as error:
                self._break(error)
            finally:
                self._sending.release()

    def _end(self, code: int, message: str | None) -> bool:
        with self._ending:
            if not self.connected:
                return False
            self.close_reason, self.close_message = code, message
            self.connected = False
        # After the turn: simple-websocket sets it before, on an oversize message, and then leaves
        # a thread in `receive` for good.
        self.event.set()
        return True

    def _break(self, error: Exception) -> None:
        self._end(CloseReason.ABNORMAL_CLOSURE, cause(error))
        self.sock.shutdown()

    # the reader

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
            log.exception("%s: the message handler failed", self.thread.name)
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
            self.sock.drain(LINGER)


def cause(error: Exception) -> str:
    """A few safe words for an exception of a socket: the system's, never an address."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
