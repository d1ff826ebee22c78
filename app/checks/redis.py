"""Redis is connected when it answers PING, after AUTH if the URL has credentials, on one kept connection."""

from urllib.parse import unquote, urlsplit

from app.checks.check import Check, CheckConfig, CheckFailed
from app.checks.kept import KeptCheck
from app.net.connect import dial, wrap
from app.net.deadline import Deadline
from app.net.reason import Cause, Reason
from app.net.resolver import Resolver
from app.net.stream import Stream
from app.net.tls import client_context, expires_at, refused_at

DEFAULT_PORT = 6379
LINE_BYTES = 4096
PASSWORD_REQUIRED = Cause(Reason.AUTH, "a password is required")
NOT_EXPECTED = Cause(Reason.AUTH, "it does not expect a password")
# The first word of an error (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors).
ERRORS = {
    b"NOAUTH": PASSWORD_REQUIRED,
    b"WRONGPASS": Cause(Reason.AUTH, "user or password refused"),
    b"NOPERM": Cause(Reason.AUTH, "the user may not run PING"),
    b"LOADING": Cause(Reason.ERROR, "loading its data"),
    b"MASTERDOWN": Cause(Reason.ERROR, "replica without its primary"),
    b"BUSY": Cause(Reason.ERROR, "busy with a script"),
    b"MISCONF": Cause(Reason.ERROR, "cannot save its data"),
    b"DENIED": Cause(Reason.ERROR, "protected mode refuses connections from elsewhere"),
}
TOO_MANY = b"-ERR max number of clients reached"
# How Redis 5 and earlier refuse a password.
WRONG_PASSWORD = b"-ERR invalid password"
# A server without a password answers so to one (Redis 5 and earlier in the second form).
NO_PASSWORD = (b"-ERR AUTH <password> called without any password", b"-ERR Client sent AUTH, but no password is set")


class RedisCheck(KeptCheck[Stream]):
    """Pings `host` and `port`, over TLS if `ca_bundle`, the path of a PEM file, is given.

    `credentials` are the arguments of AUTH: a password, or a user and a password; empty: no AUTH.
    """

    def __init__(
        self, name: str, host: str, port: int, credentials: tuple[str, ...], ca_bundle: str | None, resolver: Resolver
    ) -> None:
        super().__init__(name)
        self._host = host
        self._port = port
        self._credentials = credentials
        self._ca_bundle = ca_bundle
        self._resolver = resolver

    def open(self, deadline: Deadline) -> Stream:
        """A connection that is not authenticated. Raises OSError."""
        context = None if self._ca_bundle is None else client_context(self._ca_bundle)
        sock = dial(self._host, self._port, deadline, self._resolver)
        self.cutoff.hold(sock)
        if context is not None:
            sock = wrap(sock, context, self._host, deadline)
            self.certificate_expires_at = expires_at(sock)
        return Stream(sock)

    def connect(self, deadline: Deadline) -> Stream:
        """See KeptCheck."""
        stream = self.open(deadline)
        try:
            if self._credentials:
                command(stream, ("AUTH", *self._credentials), b"+OK", deadline)
        except BaseException:
            stream.close()
            raise
        return stream

    def ask(self, connection: Stream, deadline: Deadline) -> None:
        """See KeptCheck."""
        command(connection, ("PING",), b"+PONG", deadline)

    def refuses_us(self, deadline: Deadline) -> bool:
        """See Check."""
        secure = self._ca_bundle is not None
        return secure and refused_at(self._host, self._port, deadline, self._resolver, cutoff=self.cutoff)


def command(stream: Stream, words: tuple[str, ...], wanted: bytes, deadline: Deadline) -> None:
    """Send a command, and return if the answer is `wanted`. Raises CheckFailed, OSError."""
    parts = [word.encode() for word in words]
    stream.send(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts), deadline)
    try:
        answer = stream.read_line(LINE_BYTES, deadline)
    except ValueError as error:
        raise CheckFailed(Reason.PROTOCOL, "not an answer of Redis") from error
    if answer == wanted:
        return
    if answer.startswith(NO_PASSWORD):
        raise CheckFailed(*NOT_EXPECTED)
    if answer.startswith(WRONG_PASSWORD):
        raise CheckFailed(*ERRORS[b"WRONGPASS"])
    if answer.startswith(TOO_MANY):
        raise CheckFailed(Reason.ERROR, "too many connections")
    cause = ERRORS.get(answer[1:].partition(b" ")[0]) if answer.startswith(b"-") else None
    if cause is not None:
        raise CheckFailed(*cause)
    if answer.startswith(b"-"):
        raise CheckFailed(Reason.ERROR, "answered with an error")
    raise CheckFailed(Reason.PROTOCOL, "not an answer of Redis")


def create(config: CheckConfig) -> Check:
    """The check of a `redis` or `rediss` URL; a database that it names makes no difference to PING."""
    url = urlsplit(config.url)
    credentials = tuple(unquote(word) for word in (url.username, url.password) if word)
    return RedisCheck(
        config.name,
        url.hostname or "",
        url.port or DEFAULT_PORT,
        credentials,
        config.ca_bundle if url.scheme == "rediss" else None,
        config.resolver,
    )
