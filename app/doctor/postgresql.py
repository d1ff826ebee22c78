"""The conversation with PostgreSQL."""

import socket
import ssl
from collections.abc import Sequence

from app.checks.check import CheckFailed
from app.checks.postgresql import NOT_POSTGRESQL, PASSWORD_REQUIRED, PostgresqlCheck, is_socket
from app.doctor import advice as a
from app.doctor.approach import Approach
from app.doctor.examination import Skipped, StepFailed
from app.doctor.judgement import Words
from app.doctor.reach import Server
from app.net.deadline import Deadline
from app.net.reason import Cause, Reason
from app.net.stream import Stream

# It has its own number in place of a version (https://www.postgresql.org/docs/current/protocol-message-formats.html).
SSL_REQUEST = bytes([0, 0, 0, 8, 4, 210, 22, 47])
VERIFYING = ("verify-ca", "verify-full")


class PostgresqlApproach(Approach[PostgresqlCheck]):
    """Asks whether the server offers TLS, which only PostgreSQL understands and no log mentions; then opens a session."""

    words = Words("PostgreSQL", "`sslmode=prefer` in the URL", "`sslmode=require` in the URL")

    def servers(self, deadline: Deadline) -> Sequence[Server]:
        """See Peer."""
        return [Server(host, port) for host, port in self.check.servers if not is_socket(host)]

    def asks_tls(self) -> bool:
        """See Peer."""
        return self._mode in ("require", *VERIFYING)

    @property
    def _mode(self) -> str:
        return self.check.parameters.get("sslmode", "prefer")

    @property
    def ca_setting(self) -> str:
        own = self.check.parameters.get("sslrootcert", self.config.ca_bundle) != self.config.ca_bundle
        return "`sslrootcert` in the URL" if own else super().ca_setting

    def context(self) -> ssl.SSLContext:
        """See Peer: a context that verifies as libpq does."""
        parameters = self.check.parameters
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = self._mode == "verify-full"
        if self._mode not in VERIFYING and "sslrootcert" not in parameters:  # a file of authorities is always used
            context.verify_mode = ssl.CERT_NONE
        elif (authorities := parameters["sslrootcert"]) == "system":
            context.load_default_certs()
        else:
            context.load_verify_locations(authorities)
        if "sslcert" in parameters:
            key = parameters.get("sslkey")
            context.load_cert_chain(parameters["sslcert"], key, parameters.get("sslpassword", ""))
        return context

    def before_tls(self, sock: socket.socket, deadline: Deadline) -> None:
        """See Peer."""
        if not _offers_tls(sock, deadline):
            raise StepFailed("the server does not offer TLS", a.NOT_TLS.about(plain=self.words.plain))

    def speak(self, deadline: Deadline) -> str | Skipped:
        if not self.reached:
            return Skipped("a Unix socket is spoken to when the session is opened")

        def speak(server: Server, deadline: Deadline) -> str:
            with self.dialled(server, deadline) as sock:
                return "PostgreSQL, offers TLS" if _offers_tls(sock, deadline) else "PostgreSQL, does not offer TLS"

        return self.found_on_each("speak", speak, deadline)

    def authenticate(self, deadline: Deadline) -> str:
        """A session, as the check opens it: libpq shows no step of it apart."""
        try:
            self.check.connect(deadline).close()
        except CheckFailed as failed:
            if failed.cause == PASSWORD_REQUIRED:
                raise self.unauthorized(PASSWORD_REQUIRED.detail, sent=False) from failed
            if failed.cause.reason is not Reason.NO_PRIMARY:
                raise
            return "accepted, but not by a server with the role that the URL asks for"
        return "accepted, a session is open"

    def advice(self, step: str, error: BaseException | None, cause: Cause) -> a.Advice:
        """See Approach."""
        return a.OTHER_ROLE if cause.reason is Reason.NO_PRIMARY else super().advice(step, error, cause)


def _offers_tls(sock: socket.socket, deadline: Deadline) -> bool:
    """Ask a server whether it is ready to begin TLS on this connection. Raises CheckFailed, OSError."""
    stream = Stream(sock)
    stream.send(SSL_REQUEST, deadline)
    match stream.read(1, deadline):
        case b"S":
            return True
        case b"N":
            return False
    raise CheckFailed(*NOT_POSTGRESQL)
