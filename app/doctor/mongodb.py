"""The conversation with MongoDB."""

import re
import ssl
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from app.checks.check import CheckFailed, perform
from app.checks.mongodb import MongoDbCheck
from app.checks.mongodb_client import MOST_SERVERS, parsed
from app.doctor import advice as a
from app.doctor.approach import Approach
from app.doctor.examination import Skipped, StepFailed
from app.doctor.judgement import Words
from app.doctor.mongodb_hello import Hello, hello
from app.doctor.reach import Server, connect_each, resolve
from app.net.deadline import Deadline
from app.net.reason import Reason
from app.net.stream import Stream

DEFAULT_PORT, LAST_PORT = 27017, 65535
AUTH_SOURCE = ", and `authSource` must name the database that keeps the user"
TLS_FILES = ("tlsCAFile", "tlsCertificateKeyFile", "tlsCRLFile")


class MongoDbApproach(Approach[MongoDbCheck]):
    """Asks each server of the URL for `hello`, then tries each member that the set advertises, as the driver will."""

    words = Words("MongoDB", "`tls=false` in the URL", "`tls=true` in the URL", AUTH_SOURCE)
    _options: Mapping[str, Any] = MappingProxyType({})  # of the URL and its DNS records, after the step `name`

    def servers(self, deadline: Deadline) -> Sequence[Server]:
        """See Peer: those of the service record, for `mongodb+srv`."""
        hosts, self._options = parsed(self.config.url, deadline)
        return [Server(host, port) for host, port in hosts if port is not None]

    def asks_tls(self) -> bool:
        """See Peer."""
        implied = self.scheme == "mongodb+srv" or any(name in self._options for name in TLS_FILES)
        return bool(self._options.get("tls", implied))

    @property
    def ca_setting(self) -> str:
        return "`tlsCAFile` in the URL" if "tlsCAFile" in self._options else super().ca_setting

    def context(self) -> ssl.SSLContext:
        """See Peer: a context that verifies as the driver does."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # not the default one, which is stricter from Python 3.13 on
        context.load_verify_locations(self._options.get("tlsCAFile") or self.config.ca_bundle)
        context.check_hostname = not self._options.get("tlsAllowInvalidHostnames")
        if self._options.get("tlsAllowInvalidCertificates"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if certificate := self._options.get("tlsCertificateKeyFile"):
            context.load_cert_chain(certificate, password=self._options.get("tlsCertificateKeyFilePassword", ""))
        return context

    def speak(self, deadline: Deadline) -> str | Skipped:
        if not self.reached:
            return Skipped("a Unix socket is spoken to by the check")
        answers: list[Hello] = []
        asked = self._options.get("replicaSet")

        def speak(server: Server, deadline: Deadline) -> str:
            stream = Stream(self.opened(server, deadline))
            try:
                answer = hello(stream, deadline)
            finally:
                stream.close()
            if asked and asked != answer.set_name:
                advice = a.OTHER_SET.about(asked=asked, found=answer.set_name or "no set")
                raise StepFailed(_described(answer), advice)
            answers.append(answer)
            return _described(answer)

        text = self.found_on_each("speak", speak, deadline.share(2))  # the members need time too
        if self._options.get("directConnection"):
            return text
        members = list(dict.fromkeys(member for answer in answers for member in answer.members))
        if len(members) > MOST_SERVERS:
            raise CheckFailed(Reason.PROTOCOL, f"more than {MOST_SERVERS} servers")
        return self._tried(text, members, deadline) if members else text

    def _tried(self, hello: str, members: Sequence[str], deadline: Deadline) -> str:
        """What `hello` found, and how dialling each member went. Raises StepFailed if one cannot be reached."""
        servers = [_server(member) for member in members]
        names = resolve(servers, self.config.resolver, deadline.share(2))
        connections = connect_each(names.reached, deadline)
        unresolved = [server for server in servers if server in names.errors]
        unreached = [server for server in names.reached if server not in connections.reached]
        lines = [word for server, word in zip(servers, names.words, strict=True) if server.address is None]
        text = "; ".join([hello, *lines, *connections.words])
        local = [server for server in unreached if server.is_loopback]
        for failed, advice in (
            (unresolved, a.MEMBER_NAME),
            (local, a.MEMBER_LOCALHOST),
            (unreached, a.MEMBER_UNREACHABLE),
        ):
            if failed:
                raise StepFailed(text, advice.about(members=", ".join(map(str, failed))))
        return text

    def authenticate(self, deadline: Deadline) -> str | Skipped:
        if not self.has_credentials and "authMechanism" not in self._options:
            return Skipped("the URL has no user")
        outcome = perform(self.check, min(self.config.timeout, deadline.remaining()))
        if outcome.cause is None:
            return "accepted"
        if outcome.reason is Reason.AUTH:
            raise StepFailed(outcome.cause.detail, self.advice("authenticate", outcome.error, outcome.cause))
        return Skipped(f"the check fails before that: {outcome.cause.detail}")


def _described(answer: Hello) -> str:
    if not answer.set_name:
        return answer.role
    of_set = f"{answer.role} of the set {answer.set_name}"
    if answer.role == "primary":
        return of_set
    return f"{of_set}, {f'its primary is {answer.primary}' if answer.primary else 'which has no primary'}"


def _server(member: str) -> Server:
    """A member as the set advertises it, in any case: what is not a name does not resolve."""
    host, _, port = member.rpartition(":")
    if host and re.fullmatch(r"[0-9]{1,5}", port) and int(port) <= LAST_PORT:
        return Server(host.strip("[]"), int(port))
    return Server(member, DEFAULT_PORT)
