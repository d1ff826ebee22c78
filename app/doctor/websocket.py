"""The conversation with an upstream."""

from dataclasses import replace

from app.checks.check import Check
from app.connections.dialler import DialFailed, Dialler
from app.connections.target import Target
from app.doctor import advice as a
from app.doctor.approach import Approach
from app.doctor.examination import Skipped
from app.doctor.http import status_line
from app.doctor.judgement import Words
from app.net.deadline import Deadline
from app.net.reason import Cause, Reason

KIND = "websocket"
ANSWERS = frozenset({Reason.AUTH, Reason.REDIRECT, Reason.HTTP_STATUS})


class UpstreamCheck(Check):
    """Dials the upstream as the service does, and closes the connection."""

    def __init__(self, name: str, dialler: Dialler, target: Target) -> None:
        super().__init__(name)
        self._dialler = dialler
        self._target = target

    def run(self, deadline: Deadline) -> None:
        """See Check."""
        replace(self._dialler, timeout=deadline.remaining()).dial(self._target).run(self.name, lambda: None)

    def cause_of(self, error: BaseException) -> Cause | None:
        """See Check."""
        return error.cause if isinstance(error, DialFailed) else super().cause_of(error)


class UpstreamApproach(Approach[UpstreamCheck]):
    """A handshake, which is answered with 101, with 401 or 403, or with another status."""

    words = Words("WebSocket", "`ws://`", "`wss://`")
    _refusal: DialFailed | None = None

    @property
    def timeout_setting(self) -> str:
        return "`DIAL_TIMEOUT_SECONDS`"

    def asks_tls(self) -> bool:
        """See Peer."""
        return self.scheme == "wss"

    def speak(self, deadline: Deadline) -> str:
        try:
            self.check.run(deadline)
        except DialFailed as failed:
            if failed.reason not in ANSWERS:
                raise
            self._refusal = failed
            return failed.cause.detail
        return f"WebSocket, answered {status_line(101)}"

    def authenticate(self, deadline: Deadline) -> str | Skipped:
        refusal = self._refusal
        if refusal is None or refusal.reason is not Reason.AUTH:
            return "accepted" if self.has_credentials else Skipped("the URL has no user, and the server requires none")
        raise self.unauthorized(
            refusal.cause.detail, sent=self.has_credentials or bool(self.url.query)
        )  # or a key in it

    def advice(self, step: str, error: BaseException | None, cause: Cause) -> a.Advice:
        """See Approach."""
        if cause.reason is Reason.HTTP_STATUS:
            return a.NO_UPGRADE.about(status=status_line(int(cause.detail.removeprefix("answered "))))
        return super().advice(step, error, cause)
