"""A WebSocket after its handshake, in either direction: it has a wire and wsproto's state of the protocol."""

import logging
from collections.abc import Callable

from wsproto import WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError

from app.connections.ending import ABNORMAL, Ended, broken
from app.connections.intake import Intake, Limits
from app.connections.wire import Wire
from app.net.clock import clock as default_clock
from app.net.reason import Reason

LINGER = 1.0  # seconds that a peer gets to answer our close frame

log = logging.getLogger(__name__)


class WebSocket:
    """Belongs to the thread that calls `run`. Others may call `close`, `wake` and `cut`.

    A peer that has not answered a ping when the next one is due, or that reads nothing for `ping_interval` seconds, is
    dead.
    """

    def __init__(
        self,
        wire: Wire,
        protocol: WSConnection,
        limits: Limits,
        ping_interval: float,
        clock: Callable[[], float] = default_clock,
    ) -> None:
        self.wake = wire.wake
        """Have `receive` return, the next one if none is under way."""
        self.cut = wire.cut
        """End the connection without a word."""
        self._wire = wire
        self._protocol = protocol
        self._ping_interval = ping_interval
        self._clock = clock
        self._intake = Intake(limits, clock)
        self._events = protocol.events()  # what came in one segment with the handshake
        self._next_ping = clock() + ping_interval
        self._pong_due = False
        self._wanted: Ended | None = None

    def run(self, name: str, handler: Callable[[], object]) -> Ended:
        """Run `handler`, which calls `send` and `receive`, then end the connection and close the socket.

        The close code is 1000 if the handler returns and 1011 if it raises, which is logged under `name`. Returns how
        it ended. Raises nothing: after the upgrade an exception would make the server write HTTP into the stream.
        """
        end = Ended(CloseReason.NORMAL_CLOSURE)
        try:
            handler()
        except Ended as ended:
            end = ended
        except BaseException:  # SystemExit, for one, would end the whole worker
            log.exception("%s: its handler failed", name)
            end = Ended(CloseReason.INTERNAL_ERROR, "", Reason.ERROR)
        self._finish(end)
        return end

    def close(self, code: int, words: str = "") -> None:
        """Have `send` and `receive` raise Ended from now on; does not wait."""
        self._wanted = Ended(code, words)
        self.wake()

    def send(self, text: str) -> None:
        """Send one message, whole. Waits for a slow peer. Raises Ended."""
        self._obey()
        self._write(TextMessage(text))

    def receive(self) -> str | None:
        """One step: handle a frame, read, ping, or wait until there is more to do or `wake` is called.

        Returns the text of a message that is complete and short enough to be kept, otherwise None. Raises Ended.
        """
        self._obey()
        pause = self._intake.pause()
        try:
            if not pause:
                event = next(self._events, None)
                if event is not None:
                    return self._take(event)
                if self._read():
                    return None
        except OSError as error:
            raise broken(error) from error
        left = self._next_ping - self._clock()
        if left > 0:
            self._wire.wait(min(left, pause or left), readable=not pause)
        elif self._pong_due and not pause:
            # Judged when nothing is left to read: the pong of a busy peer stands behind its messages.
            raise Ended(CloseReason.POLICY_VIOLATION, "no answer to a ping", Reason.TIMEOUT)
        else:
            self._write(Ping())
            self._pong_due = True
            self._next_ping = self._clock() + self._ping_interval
        return None

    def receive_all(self) -> None:
        """Read and discard what comes, until the connection ends. Raises Ended."""
        while True:
            self.receive()

    def _read(self) -> bool:
        """Read what has come; False if nothing has."""
        data = self._wire.recv()
        if data is None:
            return False
        if not data:
            raise Ended(ABNORMAL, "closed without a close frame")
        self._intake.count(0, len(data))
        self._protocol.receive_data(data)
        self._events = self._protocol.events()
        return True

    def _take(self, event: Event) -> str | None:
        if isinstance(event, CloseConnection):
            # wsproto also makes one of a breach of protocol, for us to send.
            breach = self._protocol.state is not ConnectionState.REMOTE_CLOSING
            raise Ended(event.code, event.reason or "", Reason.PROTOCOL if breach else Reason.CLOSED)
        self._intake.count(1, 0)
        if isinstance(event, (TextMessage, BytesMessage)):
            return self._intake.take(event)
        if isinstance(event, Ping):
            self._write(event.response())
        elif isinstance(event, Pong):
            self._pong_due = False
        return None

    def _obey(self) -> None:
        if self._wanted is not None:
            raise self._wanted

    def _write(self, event: Event) -> None:
        try:
            self._wire.send(self._protocol.send(event), self._ping_interval)
        except OSError as error:
            raise broken(error) from error

    def _finish(self, end: Ended) -> None:
        """Send our close frame or the answer to the peer's, unless the stream is broken; close the socket."""
        try:
            if end.code != ABNORMAL:
                # A peer that reads nothing gets no last word.
                self._wire.send(self._protocol.send(CloseConnection(end.code, end.words)), patience=0)
                unanswered = self._protocol.state is ConnectionState.LOCAL_CLOSING
                if unanswered and end.reason is not Reason.TIMEOUT:
                    self._wire.drain(LINGER)
        except (OSError, LocalProtocolError):
            pass
        finally:
            self._wire.close()
