"""A WebSocket on simple-websocket's classes: their handshakes and attributes, with a reader and writes of our own."""

import functools
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from simple_websocket import ConnectionClosed
from simple_websocket.ws import Base
from wsproto import WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Event, Message, Ping, Pong, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError

from app.connections.wire import CHUNK, Wire

LINGER = 1.0  # seconds that a peer gets to read why it is closed
CONTROL_FRAMES = 16  # waiting behind a message; of pings not yet answered RFC 6455 5.5.3 asks for the last one only

log = logging.getLogger(__name__)


class Violation(Exception):
    """The peer broke a rule: the connection ends with close code `code`, and with what str() says."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class WebSocket(Base):
    """What both directions share. Used as `class X(WebSocket, Client)`: it replaces send, close and the reader.

    Attributes for its user: `connected`; `close_reason`, `close_message` (code and text, once it is not); `thread`.
    """

    # simple-websocket ships no types
    connected: bool
    close_reason: int
    close_message: str | None
    event: threading.Event
    sock: Wire
    thread: threading.Thread
    ws: WSConnection

    def prepare(self, *, name: str, ping_interval: float, max_message_size: int | None,
                max_frames_per_second: int | None, on_message: Callable[[str | bytes], None] | None,
                on_end: Callable[[Any], None] | None, clock: Callable[[], float]) -> dict[str, Any]:
        """Set what the reader needs, and give back the arguments for simple-websocket's constructor, which starts it.

        `on_message(message)` and `on_end(websocket)` are called by the reader, `on_end` once, when all is over.
        `max_message_size` is in bytes; None: any size, but contents are thrown away and `on_message` gets empty ones.
        """
        self.on_message = on_message
        self.on_end = on_end
        self._interval = ping_interval
        self._max_size = max_message_size
        self._max_frames = max_frames_per_second
        self._clock = clock
        self._ending = threading.Lock()  # guards the turn of `connected` to False: who ends it first says why
        self._sending = threading.Lock()  # held for the writing of one whole frame, so that none interleave
        self._control: deque[Event] = deque(maxlen=CONTROL_FRAMES)  # emptied by whoever holds _sending
        self._parts: list[Any] = []  # of the incoming message; the reader's own, as all below
        self._size = 0
        self._pong_due = False
        self._second = 0.0
        self._frames = 0
        # a daemon, because simple-websocket's own thread outlives and so delays the interpreter's exit
        reader = functools.partial(threading.Thread, name=name, daemon=True)
        return {"receive_bytes": CHUNK, "ping_interval": ping_interval, "thread_class": reader}

    # for its user, from any thread

    def send(self, data: str | bytes) -> None:
        """Send one message, whole and in order. Waits while the peer takes nothing, at most one ping interval.

        Raises simple_websocket.ConnectionClosed.
        """
        # simple-websocket's own takes no lock, and believes that socket.send takes everything
        with self._sending:
            if not self.connected:
                raise self.closed()
            try:
                self.sock.send(self.ws.send(Message(data=data)))
            except (OSError, LocalProtocolError) as error:
                self._break(error)
                raise self.closed() from error
        self._flush()

    def close(self, reason: int | None = None, message: str | None = None) -> bool:
        """Send a close frame with code `reason` (1000) and wake whoever waits in `receive`. True for the first only.

        Never waits: a peer that takes nothing gets no frame. The connection ends when the peer answers; `finish`
        waits for that. Whoever sends a message at this moment ends it, and takes the frame along.
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
        """After `close`: give the peer `timeout` seconds to answer, then cut it; on return the descriptor is closed
        (unless a callback holds the reader up). Not from a callback: there it does nothing."""
        if threading.current_thread() is self.thread:
            return
        self.thread.join(timeout)
        if self.thread.is_alive():
            self.abort()
            self.thread.join(LINGER)

    def is_alive(self) -> bool:
        return self.connected and self.thread.is_alive()

    def closed(self) -> ConnectionClosed:
        return ConnectionClosed(self.close_reason, self.close_message)

    def ending(self) -> str:
        """Why it ended, for a log line: what the peer said is quoted."""
        return f"{int(self.close_reason)} {self.close_message or ''!r}"

    # control frames never wait for another thread's message

    def _say(self, event: Event) -> None:
        self._control.append(event)
        self._flush()

    def _flush(self) -> None:
        # Who comes too late for the lock has left his frame to its holder, who looks again after giving it back.
        while self._control and self._sending.acquire(blocking=False):
            try:
                while self._control:
                    # a last word to a peer that takes nothing is not worth waiting for
                    self.sock.send(self.ws.send(self._control.popleft()), None if self.connected else 0)
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
        # After the turn, not before: simple-websocket does it the other way round on an oversize message, and
        # leaves a thread in receive() for good.
        self.event.set()
        return True

    def _break(self, error: Exception) -> None:
        self._end(CloseReason.ABNORMAL_CLOSURE, cause(error))
        self.sock.shutdown()

    # the reader

    def _thread(self) -> None:
        try:
            self._handle()  # what came in one segment with the handshake; simple-websocket waits for more first
            self._read()
        except Violation as violation:
            self._refuse(violation.code, str(violation))
        except (OSError, LocalProtocolError) as error:
            self._end(CloseReason.ABNORMAL_CLOSURE, cause(error))
        except BaseException:  # a handler's SystemExit ends this connection, not more
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
        while self.ws.state in (ConnectionState.OPEN, ConnectionState.LOCAL_CLOSING):
            now = self._clock()
            if not self.connected:  # we said goodbye: the answer may stand behind messages, but not for ever
                close_by = min(close_by, now + LINGER)
                if now >= close_by:
                    return
            data = self.sock.recv(CHUNK, max(0.0, min(next_ping, close_by) - now))
            if data:
                self.ws.receive_data(data)
                self._handle()
            elif data is not None or not self.connected:
                return  # the peer has ended, or does not answer our close frame
            elif self._pong_due:
                # Judged only when nothing is left to read: the pong of a busy peer stands behind its messages.
                self.close(CloseReason.POLICY_VIOLATION, "no answer to a ping")
                return
            else:
                self._pong_due = True
                self._say(Ping())
                next_ping = self._clock() + self._interval

    def _refuse(self, code: int, message: str | None) -> None:
        if self.close(code, message):
            self.sock.drain(LINGER)

    def _handle(self) -> None:
        for event in self.ws.events():
            if isinstance(event, (TextMessage, BytesMessage)):
                if event.frame_finished:
                    self._count_frame()
                self._collect(event)
            elif isinstance(event, CloseConnection):
                if self.ws.state in (ConnectionState.OPEN, ConnectionState.LOCAL_CLOSING):
                    # not a close frame of the peer's: wsproto found its bytes in breach
                    raise Violation(event.code, event.reason or "protocol error")
                self._end(event.code, event.reason)
                self._control.append(event.response())
            else:
                self._count_frame()
                if isinstance(event, Ping):
                    self._control.append(event.response())
                elif isinstance(event, Pong):
                    self._pong_due = False
        self._flush()

    def _collect(self, event: TextMessage | BytesMessage) -> None:
        if self._max_size is not None:
            data: Any = event.data
            self._size += len(data) if isinstance(data, (bytes, bytearray)) else len(data.encode())
            if self._size > self._max_size:
                raise Violation(CloseReason.MESSAGE_TOO_BIG, "message is too big")
            self._parts.append(data)
        if not event.message_finished:
            return
        whole = ("" if isinstance(event, TextMessage) else b"").join(self._parts)
        self._parts, self._size = [], 0
        if self.connected:
            self._deliver(whole)

    def _deliver(self, message: str | bytes) -> None:
        if self.on_message is not None:
            self.on_message(message)

    def _count_frame(self) -> None:
        """Bound what a flood of pings or of empty messages costs everybody else."""
        if self._max_frames is None:
            return
        now = self._clock()
        if now - self._second >= 1:
            self._second, self._frames = now, 0
        self._frames += 1
        if self._frames > self._max_frames:
            raise Violation(CloseReason.POLICY_VIOLATION, "too many messages")


def cause(error: Exception) -> str:
    """A few safe words for an exception of a socket: the system's, never an address."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
