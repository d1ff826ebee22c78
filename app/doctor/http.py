"""The conversation with an HTTP server."""

from http import HTTPStatus

from app.checks.http import UNAUTHORIZED, HttpCheck
from app.doctor import advice as a
from app.doctor.approach import Approach
from app.doctor.examination import Skipped, StepFailed
from app.doctor.judgement import Words
from app.net.deadline import Deadline
from app.net.reason import Cause, Reason


class HttpApproach(Approach[HttpCheck]):
    """One answer to what the check asks: `speak` needs any, `authenticate` one that is neither 401 nor 403."""

    words = Words(
        "HTTP",
        "`http://`",
        "`https://`",
        "; a token belongs in `HEADERS`",
        "`user:password@` before the host in the URL, or `DEPENDENCY__{name}__HEADERS`",
    )
    _status = 0

    def speak(self, deadline: Deadline) -> str:
        version, self._status = self.check.status(deadline)
        if self._status == HTTPStatus.BAD_REQUEST and self.lacks_tls(
            self.reached[0], deadline
        ):  # what nginx and Go answer then
            raise StepFailed(f"answered {status_line(self._status)}", a.SPEAKS_TLS.about(secure=self.words.secure))
        return f"{version} {status_line(self._status)}"

    def authenticate(self, deadline: Deadline) -> str | Skipped:
        sent = self.has_credentials or "authorization" in {name.lower() for name in self.config.headers}
        if self._status in UNAUTHORIZED and self._status in self.config.statuses:
            return Skipped("`STATUSES` accepts this answer")
        if self._status not in UNAUTHORIZED:
            return "not refused" if sent else Skipped("no credentials are configured, and the server requires none")
        possible = bool(sent or self.config.headers or self.url.query)  # a key may be in any of them
        raise self.unauthorized(f"answered {status_line(self._status)}", sent=possible)

    def advice(self, step: str, error: BaseException | None, cause: Cause) -> a.Advice:
        """See Approach."""
        if cause.reason is Reason.HTTP_STATUS:
            status = int(cause.detail.removeprefix("answered "))  # that of the check, which need not be that of `speak`
            if status == HTTPStatus.NOT_FOUND:
                return a.NO_SUCH_PATH
            setting = f"`DEPENDENCY__{self.name.upper()}__STATUSES`"
            return a.OTHER_STATUS.about(status=status_line(status), setting=setting)
        return super().advice(step, error, cause)


def status_line(status: int) -> str:
    """A status code with its standard words: those of the peer are a stranger's."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
