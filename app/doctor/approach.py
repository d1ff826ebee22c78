"""How the doctor approaches a dependency, whatever its kind: name, connect, TLS and the check."""

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from app.checks.check import CheckConfig, perform
from app.doctor import advice as a
from app.doctor.examination import Attempt, Skipped, StepFailed
from app.doctor.handshake import SECOND_LOOK_SECONDS, Handshake, speaks_tls
from app.doctor.judgement import CREDENTIALS_REFUSED, judged
from app.doctor.peer import AnyCheck, Peer
from app.doctor.reach import Server, Tried, connect_each, on_each, resolve
from app.net.connect import connect, wrap
from app.net.deadline import Deadline
from app.net.reason import CERTIFICATE_REFUSED, Cause, Reason
from app.net.resolver import Address
from app.net.tls import refuses_us

STEP_SECONDS, LONGEST_SECONDS = 5.0, 30.0
"""The longest time of a step; a dependency whose own timeout is longer gets that, up to the second."""
NO_ADDRESS = "a Unix socket has no address: it is connected to when it is asked"


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when the doctor runs: whether in a container, and the time in Unix seconds."""

    in_container: bool
    now: float


class Approach(Peer[AnyCheck]):
    """The steps of a kind that has none of its own: name, connect, tls where the URL asks for it, and check.

    A subclass adds the steps `speak` and `authenticate`, methods of these names that are an Attempt each. `oddity` is
    what makes the URL ambiguous, such as an unescaped character in a password: no address is shown then, because it may
    be a part of that.
    """

    def __init__(
        self, kind: str, config: CheckConfig, check: AnyCheck, port: int, place: Place, oddity: str = ""
    ) -> None:
        super().__init__(kind, config, check, port)
        self._check_seconds = min(config.timeout, LONGEST_SECONDS)
        self.limit = max(STEP_SECONDS, self._check_seconds)
        self._place = place
        self._unescaped = a.UNESCAPED.about(oddity=oddity) if oddity else None
        self._reached: dict[Server, list[Address]] = {}  # by the last step; nothing for Unix sockets

    def advice(self, step: str, error: BaseException | None, cause: Cause) -> a.Advice:
        """The most precise sentences that there are for a failure."""
        if self._unescaped and step in ("name", "authenticate"):
            return self._unescaped
        loopback = {server.is_loopback for server in self._reached} == {True}
        if cause.reason is Reason.REFUSED and loopback and self._place.in_container:
            return a.LOCALHOST
        if cause.reason is Reason.TIMEOUT and step == "check":
            return a.SLOW.about(seconds=f"{self._check_seconds:g}", setting=self.timeout_setting)
        return judged(step, error, cause, self.words)

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
        return self._explained(step, error, self.reached, deadline)

    def _explained(self, step: str, error: Exception, servers: Sequence[Server], deadline: Deadline) -> StepFailed:
        """The same, for a step that failed on one of `servers`."""
        if isinstance(error, StepFailed):
            return error
        cause = self.check.cause(error)
        second_look = step == "speak" and cause.reason in (Reason.CLOSED, Reason.PROTOCOL)
        for server in servers if second_look else ():
            if self.lacks_tls(server, deadline):
                return StepFailed(cause.detail, a.SPEAKS_TLS.about(secure=self.words.secure))
            if self.asks_tls() and refuses_us(partial(self.opened, server), deadline, SECOND_LOOK_SECONDS):
                return StepFailed(CERTIFICATE_REFUSED.detail, a.CLIENT_CERTIFICATE)
        return StepFailed(cause.detail, self.advice(step, error, cause))

    def close(self) -> None:
        """See Examinable."""
        self.check.close()

    @property
    def reached(self) -> Sequence[Server]:
        """The servers that the last step has reached; empty if the URL names Unix sockets."""
        return [*self._reached]

    def lacks_tls(self, server: Server, deadline: Deadline) -> bool:
        """Whether a server that the last step has reached speaks TLS, and the URL does not ask for it."""
        return not self.asks_tls() and speaks_tls(partial(self.dialled, server), server.host, deadline)

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

    def found_on_each(self, step: str, attempt: Callable[[Server, Deadline], str], deadline: Deadline) -> str:
        """What `attempt` finds on each server that the last step has reached. One on which it succeeds is enough.

        The others are given up for the next steps. Raises StepFailed if none is left.
        """
        servers = self.reached
        words: list[str] = []
        failures: dict[Server, StepFailed] = {}
        for server, found in on_each(servers, attempt, deadline):
            if isinstance(found, Exception):
                failures[server] = self._explained(step, found, [server], deadline)
                found = failures[server].text
            words.append(f"{server} {found}" if len(servers) > 1 and not self._unescaped else found)
        text = "; ".join(words)
        if len(failures) == len(servers):
            # The host that the sentences on a certificate name may be the user.
            hidden = self._unescaped if step == "tls" else None
            raise StepFailed(text, hidden or failures[servers[0]].advice)
        for server in failures:
            del self._reached[server]
        return text

    def _resolve(self, deadline: Deadline) -> str | Skipped:
        servers = self.servers(deadline)
        if not servers:
            return Skipped(NO_ADDRESS)
        return self._kept("name", resolve(servers, self.config.resolver, deadline))

    def _connect(self, deadline: Deadline) -> str | Skipped:
        if not self._reached:
            return Skipped(NO_ADDRESS)
        return self._kept("connect", connect_each(self._reached, deadline))

    def _kept(self, step: str, tried: Tried) -> str:
        """What was found; the servers that were reached are kept. Raises StepFailed if there is none."""
        text = "not shown, because a part of the password may be in it" if self._unescaped else tried.text
        if not tried.reached:
            error = next(iter(tried.errors.values()))
            raise StepFailed(text, self.advice(step, error, self.check.cause(error)))
        self._reached = tried.reached
        return text

    def _encrypt(self, deadline: Deadline) -> str | Skipped:
        if not self._reached:
            return Skipped(NO_ADDRESS)
        return self.found_on_each("tls", self._encrypted, deadline)

    def _encrypted(self, server: Server, deadline: Deadline) -> str:
        connected = partial(self._ready_for_tls, server)
        return Handshake(self.context, connected, server.host, self.ca_setting, self._place.now).found(deadline)

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
        outcome = perform(self.check, self._check_seconds)
        if outcome.cause is None:
            return "connected"
        raise StepFailed(outcome.cause.detail, self.advice("check", outcome.error, outcome.cause))
