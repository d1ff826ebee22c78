"""Bounds on what a peer may send: the size of a message, and how many frames in a second."""

from collections.abc import Callable
from typing import Any

from wsproto.events import BytesMessage, TextMessage
from wsproto.frame_protocol import CloseReason


class Violation(Exception):
    """The peer broke a rule: the connection ends with close code `code` and the words of str()."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Intake:
    """Puts the parts of messages together. For one thread.

    `max_size` in bytes; None: any size, but contents are thrown away, and whole messages are empty.
    `max_frames` in any second (of data, ping and pong together); None: any number.
    """

    def __init__(self, max_size: int | None, max_frames: int | None, clock: Callable[[], float]) -> None:
        self._max_size = max_size
        self._max_frames = max_frames
        self._clock = clock
        self._parts: list[Any] = []
        self._size = 0
        self._second = clock()
        self._frames = 0

    def take(self, event: TextMessage | BytesMessage) -> str | bytes | None:
        """The whole message if `event` ends it. Raises Violation."""
        if event.frame_finished:
            self.count_frame()
        if self._max_size is not None:
            data: Any = event.data
            self._size += len(data.encode()) if isinstance(data, str) else len(data)
            if self._size > self._max_size:
                raise Violation(CloseReason.MESSAGE_TOO_BIG, "message is too big")
            self._parts.append(data)
        if not event.message_finished:
            return None
        parts, self._parts, self._size = self._parts, [], 0
        return "".join(parts) if isinstance(event, TextMessage) else b"".join(parts)

    def count_frame(self) -> None:
        """Bound what a flood of small frames costs everybody else. Raises Violation."""
        if self._max_frames is None:
            return
        now = self._clock()
        if now - self._second >= 1:
            self._second, self._frames = now, 0
        self._frames += 1
        if self._frames > self._max_frames:
            raise Violation(CloseReason.POLICY_VIOLATION, "too many frames")
