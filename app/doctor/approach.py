"""How the doctor approaches a dependency, whatever its kind: name, connect, TLS and the check."""

import re
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar
from urllib.parse import SplitResult, urlsplit

from app.checks.check import Check, CheckConfig, perform
from app.checks.kinds import KINDS
from app.doctor import advice as a
from app.doctor.examination import Attempt, Examinable, Skipped, StepFailed
from app.doctor.handshake import SECOND_LOOK_SECONDS, Handshake, speaks_tls
from app.doctor.judgement import CREDENTIALS_REFUSED, Words, judged
from app.doctor.reach import Server, Tried, connect_each, resolve
from app.net.connect import connect, wrap
from app.net.deadline import Deadline
from app.net.reason import CERTIFICATE_REFUSED, Cause, Reason
from app.net.resolver import Address
from app.net.tls import client_context, refuses_us

STEP_SECONDS, LONGEST_SECONDS = 5.0, 30.0
"""The longest time of a step; a dependency whose own timeout is longer gets that, up to the second."""
NO_ADDRESS = "a Unix socket has no address: it is connected to when it is asked"

AnyCheck = TypeVar("AnyCheck", bound=Check)


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when the doctor runs: whether in a container, and the time in Unix seconds."""

    in_container: bool
    now: float


class Approach(Examinable, Generic[AnyCheck]):
    """The steps of a kind that has none of its own: name, connect, tls where the URL asks for it, and check.

    A subclass adds the steps `speak` and `authenticate`, methods of these names that are an Attempt each, and the words
    for its kind. `port` is the default one of the URL. `oddity` is what makes the URL ambiguous, such as an unescaped
    character in a password: no address is shown then, because it may be a part of that.
    """

    words = Words("the protocol of the URL", "the scheme without TLS", "the scheme with TLS")

    def __init__(
        self, kind: str, config: CheckConfig, check: AnyCheck, port: int, place: Place, oddity: str = ""
    ) -> None:
        self.name = config.name
        self.kind = kind
        self.limit = max(STEP_SECONDS, min(config.timeout, LONGEST_SECONDS))
        self.config = config
        self.check = check
        self.scheme = config.url.partition("://")[0].lower()
        self._port = port
        self._place = place
        self._oddity = oddity
        self._reached: dict[Server, list[Address]] = {}  # by the last step; nothing for Unix sockets

    # What a kind may have of its own

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

    @property
    def ca_setting(self) -> str:
        """Where trusted authorities are set."""
        return "`CA_BUNDLE`"

    @property
    def certificate_settings(self) -> str:
        """Where all files are set that `context` reads."""
        return self.ca_setting

    @property
    def timeout_setting(self) -> str:
        return f"`DEPENDENCY__{self.name.upper()}__TIMEOUT_SECONDS`"

    def advice(self, step: str, error: BaseException | None, cause: Cause) -> a.Advice:
        """The most precise sentences that there are for a failure."""
        if self._oddity and step in ("name", "authenticate"):
            return self._unescaped
        loopback = {server.is_loopback for server in self._reached} == {True}
        if cause.reason is Reason.REFUSED and loopback and self._place.in_container:
            return a.LOCALHOST
        if cause.reason is Reason.TIMEOUT and step == "check":
            return a.SLOW.about(seconds=f"{self.config.timeout:g}", setting=self.timeout_setting)
        return judged(step, error, cause, self.words)

    # What every kind shares

    def steps(self) -> Iterator[tuple[str, Attempt]]:
        """See Examinable."""
        yield "name", self._resolve
        yield "connect", self._connect
        if self.asks_tls():
            yield "tls", self._encrypt
        for name in ("speak", "authenticate"):
            if attempt := getattr(self, name, None):
                yield name, attempt
        yield "check", self._check

    def explained(self, step: str, error: Exception, deadline: Deadline) -> StepFailed:
        """See Examinable."""
        cause = self.check.cause(error)
        if step == "speak" and cause.reason in (Reason.CLOSED, Reason.PROTOCOL):
            if self.should_ask_tls(deadline):
                return StepFailed(cause.detail, a.SPEAKS_TLS.about(secure=self.words.secure))
            refusals = (refuses_us(partial(self.opened, each), deadline, SECOND_LOOK_SECONDS) for each in self._reached)
            if self.asks_tls() and any(refusals):
                return StepFailed(CERTIFICATE_REFUSED.detail, a.CLIENT_CERTIFICATE)
        return StepFailed(cause.detail, self.advice(step, error, cause))

    def close(self) -> None:
        """See Examinable."""
        self.check.close()

    @property
    def url(self) -> SplitResult:
        """The URL of a kind that names a single host in it."""
        return urlsplit(self.config.url)

    @property
    def has_credentials(self) -> bool:
        return "@" in re.split("[/?#]", self.config.url.partition("://")[2], maxsplit=1)[0]

    @property
    def _unescaped(self) -> a.Advice:
        return a.UNESCAPED.about(oddity=self._oddity)

    @property
    def on_unix_sockets(self) -> bool:
        return not self._reached

    def should_ask_tls(self, deadline: Deadline) -> bool:
        """Whether a peer speaks TLS although the URL does not ask for it."""
        return not self.asks_tls() and any(
            speaks_tls(partial(self.dialled, server), server.host, deadline) for server in self._reached
        )

    def unauthorized(self, text: str, *, sent: bool) -> StepFailed:
        """What it means that a peer requires credentials: it depends on whether some were `sent`."""
        if sent:
            return StepFailed(text, self.advice("authenticate", None, CREDENTIALS_REFUSED))
        return StepFailed(text, a.NO_CREDENTIALS.about(where=self.words.credentials.format(name=self.name.upper())))

    def dialled(self, server: Server, deadline: Deadline) -> socket.socket:
        """A connection to a server that the last step has reached. Raises OSError."""
        return connect(self._reached[server], deadline)

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
        servers = list(self._reached)
        words: list[str] = []
        failures: dict[Server, StepFailed] = {}
        for position, server in enumerate(servers):
            try:
                found = attempt(server, deadline.share(len(servers) - position))
            except Exception as error:
                failures[server] = error if isinstance(error, StepFailed) else self.explained(step, error, deadline)
                found = failures[server].text
            words.append(f"{server} {found}" if len(servers) > 1 and not self._oddity else found)
        text = "; ".join(words)
        if len(failures) == len(servers):
            # The host that the sentences on a certificate name may be the user.
            hidden = bool(self._oddity) and step == "tls"
            raise StepFailed(text, self._unescaped if hidden else failures[servers[0]].advice)
        for server in failures:
            del self._reached[server]
        return text

    # The steps

    def _resolve(self, deadline: Deadline) -> str | Skipped:
        servers = self.servers(deadline)
        if not servers:
            return Skipped(NO_ADDRESS)
        return self._kept("name", resolve(servers, self.config.resolver, deadline))

    def _connect(self, deadline: Deadline) -> str | Skipped:
        if self.on_unix_sockets:
            return Skipped(NO_ADDRESS)
        return self._kept("connect", connect_each(self._reached, deadline))

    def _kept(self, step: str, tried: Tried) -> str:
        """What was found; the servers that were reached are kept. Raises StepFailed if there is none."""
        text = "not shown, because a part of the password may be in it" if self._oddity else tried.text
        if not tried.reached:
            error = next(iter(tried.errors.values()))
            raise StepFailed(text, self.advice(step, error, self.check.cause(error)))
        self._reached = tried.reached
        return text

    def _encrypt(self, deadline: Deadline) -> str | Skipped:
        if self.on_unix_sockets:
            return Skipped(NO_ADDRESS)
        return self.on_each("tls", self._encrypted, deadline)

    def _encrypted(self, server: Server, deadline: Deadline) -> str:
        connected = partial(self._ready_for_tls, server)
        settings = self.ca_setting, self.certificate_settings
        return Handshake(self.context, connected, server.host, *settings, self._place.now).found(deadline)

    def _ready_for_tls(self, server: Server, deadline: Deadline) -> socket.socket:
        sock = self.dialled(server, deadline)
        try:
            self.before_tls(sock, deadline)
        except BaseException:
            sock.close()
            raise
        return sock

    def _check(self, deadline: Deadline) -> str:
        """The check itself, as the service runs it, with its own timeout up to LONGEST_SECONDS."""
        outcome = perform(self.check, min(self.config.timeout, self.limit))
        if outcome.cause is None:
            return "connected"
        raise StepFailed(outcome.cause.detail, self.advice("check", outcome.error, outcome.cause))
