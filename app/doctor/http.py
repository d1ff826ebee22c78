"""The conversation with an HTTP server."""

from collections.abc import Iterator
from http import HTTPStatus

from app.checks.http import UNAUTHORIZED, HttpCheck
from app.doctor import advice as a
from app.doctor.approach import Approach
from app.doctor.examination import Attempt, Skipped, StepFailed
from app.net.deadline import Deadline
from app.net.reason import Cause, Reason


class HttpApproach(Approach[HttpCheck]):
    """Asks as the check does; what counts is first that there is an answer, then 401 and 403, then any other status."""

    plain, secure = "`http://`", "`https://`"
    _status = 0

    def conversation(self) -> Iterator[tuple[str, Attempt]]:
        """See Approach."""
        yield "speak", self._speak
        yield "authenticate", self._authenticate

    def _speak(self, deadline: Deadline) -> str:
        version, self._status = self.check.status(deadline)
        return f"{version} {status_line(self._status)}"

    def _authenticate(self, deadline: Deadline) -> str | Skipped:
        sent = self.has_credentials or "authorization" in {name.lower() for name in self.config.headers}
        if self._status not in UNAUTHORIZED:
            return "accepted" if sent else Skipped("nothing to authenticate with, and nothing asked for it")
        where = f"user and password to the URL, or a header to `DEPENDENCY__{self.name.upper()}__HEADERS`"
        cause = Cause(Reason.AUTH, f"answered {status_line(self._status)}")
        known = sent or bool(self.config.headers) or bool(self.url.query)  # a key may be in any of them
        raise StepFailed(cause.detail, a.general(cause) if known else a.NO_CREDENTIALS.about(where=where))

    def advice_on_check(self, error: BaseException | None, cause: Cause) -> a.Advice:
        """See Approach."""
        if self._status == HTTPStatus.NOT_FOUND and cause.reason is Reason.HTTP_STATUS:
            return a.NO_SUCH_PATH
        return super().advice_on_check(error, cause)


def status_line(status: int) -> str:
    """A status code with its standard words: those of the peer are a stranger's."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
