"""Bounds on what a peer may send."""

from collections.abc import Callable
from dataclasses import dataclass

from wsproto.events import BytesMessage, TextMessage
from wsproto.frame_protocol import CloseReason

from app.connections.ending import Ended
from app.net.reason import Reason


@dataclass(frozen=True)
class Limits:
    """What a peer may send; sizes in bytes."""

    frames: int  # in a second, of any kind; a frame that arrives in pieces counts once for each piece
    size: int  # in a second, of everything
    message: float  # of one message
    kept: int  # a longer message is read and discarded
    patient: bool  # a peer that sends too much in a second is read more slowly; otherwise its connection ends


class Intake:
    """Counts what one peer sends, and assembles its messages. For one thread."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._second = clock()  # when the current second began
        self._frames = 0
        self._size = 0
        self._message_size = 0
        self._parts: list[str] = []

    def pause(self) -> float:
        """Seconds for which nothing more is to be read; 0 unless the peer has used up its second."""
        self._turn_over()
        if self._frames < self._limits.frames and self._size < self._limits.size:
            return 0.0
        return self._second + 1 - self._clock() if self._limits.patient else 0.0

    def count(self, frames: int, size: int) -> None:
        """Add to this second. Raises Ended."""
        self._turn_over()
        self._frames += frames
        self._size += size
        if not self._limits.patient:
            if self._frames > self._limits.frames:
                raise Ended(CloseReason.POLICY_VIOLATION, "too many frames", Reason.PROTOCOL)
            if self._size > self._limits.size:
                raise Ended(CloseReason.POLICY_VIOLATION, "too many bytes", Reason.PROTOCOL)

    def take(self, event: TextMessage | BytesMessage) -> str | None:
        """The text that `event` completes, if it is one to keep. Raises Ended."""
        data = event.data
        self._message_size += len(data.encode() if isinstance(data, str) else data)
        if self._message_size > self._limits.message:
            raise Ended(CloseReason.MESSAGE_TOO_BIG, "message is too big", Reason.PROTOCOL)
        fits = self._message_size <= self._limits.kept
        if isinstance(data, str) and fits and data:  # empty fragments may come without end
            self._parts.append(data)
        if not event.message_finished:
            return None
        text = "".join(self._parts) if isinstance(data, str) and fits else None
        self._message_size, self._parts = 0, []
        return text

    def _turn_over(self) -> None:
        now = self._clock()
        if now - self._second >= 1:
            self._second, self._frames, self._size = now, 0, 0
