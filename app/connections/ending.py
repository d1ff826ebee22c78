"""How a WebSocket ends."""

from app.net.reason import Reason, cause_of

ABNORMAL = 1006  # RFC 6455, 7.4.1: without a close frame; never sent


class Ended(Exception):
    """A WebSocket has ended, or is to end: the close code (RFC 6455, 7.4), the words beside it, and why."""

    def __init__(self, code: int, words: str = "", reason: Reason = Reason.CLOSED) -> None:
        super().__init__(code, words, reason)
        self.code = code
        self.words = words
        self.reason = reason

    def __str__(self) -> str:
        return f"{int(self.code)} {self.words!r}"


def broken(error: OSError) -> Ended:
    """The end that an error of the socket means, in the system's words, which hold no address."""
    words = (error.strerror or str(error) or type(error).__name__).lower()
    cause = cause_of(error)
    return Ended(ABNORMAL, words, cause.reason if cause else Reason.ERROR)
