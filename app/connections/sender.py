"""The half of a WebSocket that writes: whole frames, from any thread, and the one end."""

import threading
from collections import deque

from simple_websocket import ConnectionClosed
from simple_websocket.ws import Base
from wsproto import WSConnection
from wsproto.events import BytesMessage, CloseConnection, Event, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError

from app.connections.wire import Wire

LINGER = 1.0  # seconds that a peer gets to take and answer our close frame
CUT = 0.25  # seconds that a reader gets to end once its connection is cut
CONTROL_FRAMES = 16  # that wait behind a message; RFC 6455 5.5.3 lets all pongs but the last go


class Sender(Base):
    """Replaces what simple-websocket's Base has to send and to close.

    For its user: `connected`, and once it is not, `close_reason` and `close_message`.
    """

    # simple-websocket ships no types
    connected: bool
    close_reason: int
    close_message: str | None
    event: threading.Event
    sock: Wire
    thread: threading.Thread
    ws: WSConnection

    def prepare_sending(self) -> None:
        """To be called before simple-websocket's constructor, which starts the reader."""
        # guards the turn of `connected` to False: whoever ends it first says why
        self._ending = threading.Lock()
        # held for the writing of one whole frame, so that none interleave
        self._sending = threading.Lock()
        # emptied by whoever holds _sending
        self._control: deque[Event] = deque(maxlen=CONTROL_FRAMES)

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

    def _flush_behind_message(self) -> None:
        """Before the wire is closed: let a message under way go out, and then our last frame."""
        if self._sending.acquire(timeout=LINGER):
            self._sending.release()
        self._flush()

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


def cause(error: Exception) -> str:
    """A few safe words for an exception of a socket: the system's, never an address."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
