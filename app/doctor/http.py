"""The conversation with an HTTP server."""

from collections.abc import Iterator
from http import HTTPStatus

from app.checks.http import UNAUTHORIZED, HttpCheck
from app.doctor import advice as a
from app.doctor.approach import Approach
from app.doctor.examination import Attempt, Skipped, StepFailed
from app.doctor.judgement import CREDENTIALS_REFUSED, Words
from app.net.deadline import Deadline
from app.net.reason import Cause, Reason


class HttpApproach(Approach[HttpCheck]):
    """Asks as the check does; what counts is first that there is an answer, then 401 and 403, then any other status."""

    words = Words("HTTP", "`http://`", "`https://`", "; a token belongs in `HEADERS`")
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
            return "not refused" if sent else Skipped("nothing to authenticate with, and nothing asked for it")
        words = f"answered {status_line(self._status)}"
        if sent or self.config.headers or self.url.query:  # a key may be in any of them
            raise StepFailed(words, self.advice("authenticate", None, CREDENTIALS_REFUSED))
        where = f"`user:password@` before the host in the URL, or `DEPENDENCY__{self.name.upper()}__HEADERS`"
        raise StepFailed(words, a.NO_CREDENTIALS.about(where=where))

    def advice(self, step: str, error: BaseException | None, cause: Cause) -> a.Advice:
        """See Approach."""
        if cause.reason is Reason.HTTP_STATUS:
            if self._status == HTTPStatus.NOT_FOUND:
                return a.NO_SUCH_PATH
            setting = f"`DEPENDENCY__{self.name.upper()}__STATUSES`"
            return a.OTHER_STATUS.about(status=status_line(self._status), setting=setting)
        return super().advice(step, error, cause)


def status_line(status: int) -> str:
    """A status code with its standard words: those of the peer are a stranger's."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
