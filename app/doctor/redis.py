"""The conversation with Redis."""

from app.checks.check import CheckFailed
from app.checks.redis import NOT_EXPECTED, PASSWORD_REQUIRED, RedisCheck, command
from app.doctor import advice as a
from app.doctor.approach import Approach
from app.doctor.examination import Skipped, StepFailed
from app.doctor.judgement import Words
from app.net.deadline import Deadline


class RedisApproach(Approach[RedisCheck]):
    """PING without AUTH, which shows whether it is Redis and whether it requires a password, then AUTH."""

    words = Words("Redis", "`redis://`", "`rediss://`", credentials="`:password@` before the host in the URL")
    _requires_password = False

    def speak(self, deadline: Deadline) -> str:
        stream = self.check.open(deadline)
        try:
            command(stream, ("PING",), b"+PONG", deadline)
        except CheckFailed as failed:
            if failed.cause != PASSWORD_REQUIRED:
                raise
            self._requires_password = True
            return "Redis, requires a password"
        finally:
            stream.close()
        return "Redis, answers PING"

    def authenticate(self, deadline: Deadline) -> str | Skipped:
        if not self.has_credentials:
            if not self._requires_password:
                return Skipped("the URL has no password, and none is required")
            raise self.unauthorized(PASSWORD_REQUIRED.detail, sent=False)
        try:
            self.check.connect(deadline).close()
        except CheckFailed as failed:
            if failed.cause != NOT_EXPECTED:
                raise
            raise StepFailed(NOT_EXPECTED.detail, a.NO_PASSWORD_EXPECTED) from failed
        return "accepted"
