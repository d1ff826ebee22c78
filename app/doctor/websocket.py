"""The conversation with an upstream."""

from collections.abc import Iterator
from dataclasses import replace

from app.checks.check import Check
from app.connections.dialler import DialFailed, Dialler
from app.connections.target import Target
from app.doctor import advice as a
from app.doctor.approach import Approach
from app.doctor.examination import Attempt, Skipped, StepFailed
from app.doctor.http import status_line
from app.doctor.judgement import CREDENTIALS_REFUSED, Words
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
        """See Approach."""
        return self.scheme == "wss"

    def conversation(self) -> Iterator[tuple[str, Attempt]]:
        """See Approach."""
        yield "speak", self._speak
        yield "authenticate", self._authenticate

    def _speak(self, deadline: Deadline) -> str:
        try:
            self.check.run(deadline)
        except DialFailed as failed:
            if failed.reason not in ANSWERS:
                raise
            self._refusal = failed
            return failed.cause.detail
        return f"WebSocket, answered {status_line(101)}"

    def _authenticate(self, deadline: Deadline) -> str | Skipped:
        refusal = self._refusal
        if refusal is None or refusal.reason is not Reason.AUTH:
            return "accepted" if self.has_credentials else Skipped("the URL has no user, and none was asked for")
        if self.has_credentials or self.url.query:  # a key may be in either
            raise StepFailed(refusal.cause.detail, self.advice("authenticate", None, CREDENTIALS_REFUSED))
        where = "`user:password@` before the host in the URL"
        raise StepFailed(refusal.cause.detail, a.NO_CREDENTIALS.about(where=where))

    def advice(self, step: str, error: BaseException | None, cause: Cause) -> a.Advice:
        """See Approach."""
        if cause.reason is Reason.HTTP_STATUS:
            return a.NO_UPGRADE.about(status=cause.detail.removeprefix("answered "))
        return super().advice(step, error, cause)
