"""How the doctor approaches a dependency, whatever its kind: name, connect, TLS and the check."""

import re
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar
from urllib.parse import SplitResult, urlsplit

from app.checks.check import Check, CheckConfig, CheckFailed, perform
from app.checks.kinds import KINDS
from app.doctor import advice as a
from app.doctor.examination import Attempt, Examinable, Skipped, StepFailed
from app.doctor.handshake import Handshake, speaks_tls
from app.doctor.reach import Server, Tried, connect_each, is_of_name_server, resolve
from app.net.connect import connect, wrap
from app.net.deadline import Deadline
from app.net.reason import CERTIFICATE_REFUSED, NOT_TLS, Cause, Reason
from app.net.resolver import Address
from app.net.tls import client_context

STEP_SECONDS = 5.0
"""The longest time of a step; a dependency whose own timeout is longer gets that."""

AnyCheck = TypeVar("AnyCheck", bound=Check)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the doctor runs: whether in a container, and the time in Unix seconds."""

    in_container: bool
    now: float


class Approach(Examinable, Generic[AnyCheck]):
    """The steps of a kind that has none of its own: name, connect, tls where the URL asks for it, and check.

    `port` is the default one of the URL. `oddity` is what makes the URL ambiguous, such as an unescaped character in a
    password: no address is shown then, because it may be a part of that. A subclass adds `speak` and `authenticate`.
    """

    protocol = "that of the URL"
    plain, secure = "the scheme without TLS", "the scheme with TLS"
    ca_setting = "CA_BUNDLE"
    hint = ""  # where to look for a mistake in the credentials of this kind

    def __init__(
        self, kind: str, config: CheckConfig, check: AnyCheck, port: int, place: Place, oddity: str = ""
    ) -> None:
        self.name = config.name
        self.kind = kind
        self.limit = max(STEP_SECONDS, config.timeout)
        self.config = config
        self.check = check
        self.scheme = config.url.partition("://")[0].lower()
        self._port = port
        self._place = place
        self._oddity = oddity
        self._found: dict[Server, list[Address]] = {}

    def steps(self) -> Iterator[tuple[str, Attempt]]:
        """See Examinable."""
        yield "name", self._resolve
        yield "connect", self._connect
        if self.asks_tls():
            yield "tls", self._encrypt
        yield from self.conversation()
        yield "check", self._check

    def conversation(self) -> Iterator[tuple[str, Attempt]]:
        """The steps `speak` and `authenticate` of a kind that has them."""
        return iter(())

    @property
    def url(self) -> SplitResult:
        """The URL of a kind that names a single host in it."""
        return urlsplit(self.config.url)

    def servers(self, deadline: Deadline) -> Sequence[Server]:
        """The servers that the URL names; empty if they are Unix sockets, which have neither name nor address."""
        return [Server(self.url.hostname or "", self.url.port or self._port)]

    def asks_tls(self) -> bool:
        """Whether the URL asks for TLS: its scheme is that of another one and an s, as in https."""
        return self.scheme.endswith("s") and self.scheme[:-1] in KINDS

    def context(self) -> ssl.SSLContext:
        """A new TLS context that verifies as the check does. Raises OSError if a file cannot be read."""
        return client_context(self.config.ca_bundle)

    def before_tls(self, sock: socket.socket, deadline: Deadline) -> None:
        """What the protocol says before TLS begins. Raises StepFailed, OSError."""

    def dialled(self, server: Server, deadline: Deadline) -> socket.socket:
        """A connection to a server that the last step has reached. Raises OSError."""
        return connect(self._found[server], deadline)

    def opened(self, server: Server, deadline: Deadline) -> socket.socket:
        """The same, over TLS if the URL asks for it."""
        if not self.asks_tls():
            return self.dialled(server, deadline)
        context = self.context()
        return wrap(self._ready_for_tls(server, deadline), context, server.host, deadline)

    def on_each(self, step: str, attempt: Callable[[Server, Deadline], str], deadline: Deadline) -> str:
        """What `attempt` finds on each server that the last step has reached. One on which it succeeds is enough.

        The others are given up for the next steps. Raises StepFailed if none is left.
        """
        servers = list(self._found)
        words: list[str] = []
        failures: list[StepFailed] = []
        for position, server in enumerate(servers):
            label = f"{server} " if len(servers) > 1 and not self._oddity else ""
            share = deadline.share(len(servers) - position)
            try:
                found = attempt(server, share)
            except Exception as error:
                failures.append(error if isinstance(error, StepFailed) else self.explained(step, error, share))
                words.append(label + failures[-1].text)
            else:
                words.append(label + found)
                continue
            del self._found[server]
        if not self._found:
            raise StepFailed("; ".join(words), failures[0].advice)
        return "; ".join(words)

    @property
    def on_unix_sockets(self) -> bool:
        return not self._found

    def close(self) -> None:
        """See Examinable."""
        self.check.close()

    def explained(self, step: str, error: Exception, deadline: Deadline) -> StepFailed:
        """See Examinable."""
        cause = self.check.cause(error)
        if step == "speak" and not self.asks_tls() and cause.reason in (Reason.CLOSED, Reason.PROTOCOL):
            if any(speaks_tls(partial(self.dialled, server), server.host, deadline) for server in self._found):
                return StepFailed(cause.detail, a.SPEAKS_TLS.about(secure=self.secure))
        return StepFailed(cause.detail, self.advice(step, error, cause))

    def advice(self, step: str, error: BaseException | None, cause: Cause) -> a.Advice:
        """The most precise sentences that there are for a failure."""
        protocol = "TLS" if step == "tls" else self.protocol
        match cause.reason:
            case Reason.TLS if cause == NOT_TLS:
                return a.NOT_TLS.about(plain=self.plain)
            case Reason.TLS if cause == CERTIFICATE_REFUSED:
                return a.CLIENT_CERTIFICATE
            case Reason.TIMEOUT if step == "check":
                return a.SLOW.about(seconds=f"{self.config.timeout:g}", setting=self.timeout_setting)
            case Reason.TIMEOUT if step in ("tls", "speak"):
                return a.SILENT.about(protocol=protocol)
            case Reason.PROTOCOL if cause.detail.startswith("not a"):
                return a.OTHER_PROTOCOL.about(protocol=protocol)
            case Reason.AUTH if cause.detail.endswith(" refused"):
                return a.REFUSED.about(hint=self.hint)
            case Reason.AUTH | Reason.ERROR if isinstance(error, CheckFailed):
                return a.REPORTED.about(detail=cause.detail)
            case Reason.ERROR:
                return a.UNEXPECTED.about(error=type(error).__name__)
        return a.general(cause)

    def _resolve(self, deadline: Deadline) -> str | Skipped:
        servers = self.servers(deadline)
        if not servers:
            return Skipped("a Unix socket has no name")
        tried = resolve(servers, self.config.resolver, deadline)
        self._found = tried.reached
        if not tried.reached:
            error = next(iter(tried.errors.values()))
            if self._oddity:
                advice = a.UNESCAPED.about(oddity=self._oddity)
            elif is_of_name_server(error):
                advice = a.NAME_SERVER
            else:
                advice = self.advice("name", error, self.check.cause(error))
            raise StepFailed(self._shown(tried), advice)
        return self._shown(tried)

    def _connect(self, deadline: Deadline) -> str | Skipped:
        if self.on_unix_sockets:
            return Skipped("a Unix socket is connected to when it is spoken to")
        tried = connect_each(self._found, deadline)
        if not tried.reached:
            error = next(iter(tried.errors.values()))
            refused = isinstance(error, ConnectionRefusedError)
            if refused and self._place.in_container and all(each.is_loopback for each in self._found):
                raise StepFailed(self._shown(tried), a.LOCALHOST)
            raise StepFailed(self._shown(tried), self.advice("connect", error, self.check.cause(error)))
        self._found = tried.reached
        return self._shown(tried)

    def _shown(self, tried: Tried) -> str:
        if not self._oddity:
            return tried.text
        return "addresses are not shown, because a part of the password may be in them"

    def _encrypt(self, deadline: Deadline) -> str | Skipped:
        if self.on_unix_sockets:
            return Skipped("not over a Unix socket")
        return self.on_each("tls", self._encrypted, deadline)

    def _ready_for_tls(self, server: Server, deadline: Deadline) -> socket.socket:
        sock = self.dialled(server, deadline)
        try:
            self.before_tls(sock, deadline)
        except BaseException:
            sock.close()
            raise
        return sock

    def _encrypted(self, server: Server, deadline: Deadline) -> str:
        connected = partial(self._ready_for_tls, server)
        return Handshake(self.context, connected, server.host, self.ca_setting, self._place.now).found(deadline)

    def _check(self, deadline: Deadline) -> str:
        """The check itself, as the service runs it, with its own timeout."""
        outcome = perform(self.check, self.config.timeout)
        if outcome.cause is None:
            return "connected"
        raise StepFailed(outcome.cause.detail, self.advice("check", outcome.error, outcome.cause))

    @property
    def timeout_setting(self) -> str:
        return f"`DEPENDENCY__{self.name.upper()}__TIMEOUT_SECONDS`"

    @property
    def has_credentials(self) -> bool:
        return "@" in re.split("[/?#]", self.config.url.partition("://")[2], maxsplit=1)[0]
