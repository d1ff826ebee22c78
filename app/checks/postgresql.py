"""PostgreSQL is connected when it answers SELECT 1, on one kept connection."""

import fcntl
import os
import select
import socket
import sys
import termios
from collections.abc import Iterator, Sequence

from psycopg import OperationalError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, PGconn, PollingStatus, abc

from app.checks.check import UNEXPECTED, Check, CheckConfig, CheckFailed
from app.checks.kept import KeptCheck
from app.net.deadline import Deadline
from app.net.reason import (
    MOST_TELLING,
    NO_AUTHORITIES,
    NO_CERTIFICATE_FILE,
    NO_DESCRIPTOR,
    NO_PERMISSION,
    NO_SOCKET,
    Cause,
    Reason,
)
from app.net.resolver import Resolver

DEFAULT_PORT = 5432
MOST_BYTES = 64 * 1024
"""What a server may send on one connection in one check; PostgreSQL sends 700 bytes, with TLS its certificates too."""
CLOSED = Cause(Reason.CLOSED, "connection closed without an answer")
STARTING = Cause(Reason.ERROR, "starting up")
STOPPING = Cause(Reason.ERROR, "shutting down")
TOO_MANY = Cause(Reason.ERROR, "too many connections")
REFUSED = Cause(Reason.ERROR, "the server refused the connection")
PASSWORD_REQUIRED = Cause(Reason.AUTH, "a password is required")
NOT_POSTGRESQL = Cause(Reason.PROTOCOL, "not an answer of PostgreSQL")
NO_ROUTE = Cause(Reason.UNREACHABLE, "no route to the host")
NO_LOCAL_ADDRESS = Cause(Reason.UNREACHABLE, "no local address to connect from")
# The errors of a statement (https://www.postgresql.org/docs/current/errcodes-appendix.html).
STATES = {
    b"57P01": CLOSED,
    b"57P02": CLOSED,
    b"57P03": STARTING,
    b"53300": TOO_MANY,
    b"28P01": Cause(Reason.AUTH, "user or password refused"),
    b"28000": Cause(Reason.AUTH, "user refused"),
}
# What cannot be connected is reported as text alone: libpq has no code for it. The first that is found counts.
TEXTS = (
    (b"too many", TOO_MANY),  # for the server, a role or a database, which it names
    (b"connection slots are reserved", TOO_MANY),
    (b"password authentication failed", Cause(Reason.AUTH, "user or password refused")),
    (b"no password supplied", PASSWORD_REQUIRED),
    (b"no pg_hba.conf entry", Cause(Reason.AUTH, "no pg_hba.conf entry for this client")),
    (b"authentication failed", Cause(Reason.AUTH, "user or password refused")),
    (b'role "', Cause(Reason.AUTH, "user refused")),
    (b"starting up", STARTING),
    (b"not yet accepting connections", STARTING),
    (b"recovery mode", Cause(Reason.ERROR, "recovering from a crash")),
    (b"shutting down", STOPPING),
    (b"not accepting connections", Cause(Reason.ERROR, "a standby that accepts no connections")),
    (b'database "', Cause(Reason.ERROR, "the database does not exist, or is not open to this user")),
    (b"invalid response", NOT_POSTGRESQL),
    (b"expected authentication request", NOT_POSTGRESQL),
    (b"lost synchronization", NOT_POSTGRESQL),
    (b"error response during SSL", REFUSED),
    (b"server does not support SSL", Cause(Reason.TLS, "the server does not offer TLS")),
    (b"certificate verify failed", Cause(Reason.TLS, "certificate refused")),
    (b"does not match host name", Cause(Reason.TLS, "certificate is for another name")),
    (b"root certificate file", NO_AUTHORITIES),
    (b"certificate file", NO_CERTIFICATE_FILE),
    (b"private key file", NO_CERTIFICATE_FILE),
    (b"Connection refused", Cause(Reason.REFUSED, "connection refused")),
    (b"No such file or directory", NO_SOCKET),
    (b"Permission denied", NO_PERMISSION),
    (b"Too many open files", NO_DESCRIPTOR),
    (b"No route to host", NO_ROUTE),
    (b"unreachable", NO_ROUTE),
    (b"Operation not permitted", NO_PERMISSION),
    (b"Host is down", NO_ROUTE),
    (b"assign requested address", NO_LOCAL_ADDRESS),
    (b"Address family not supported", NO_LOCAL_ADDRESS),
    (b"timed out", Cause(Reason.TIMEOUT, "no answer in time")),
    (b"closed the connection", CLOSED),
    (b"reset by peer", CLOSED),
    (b"EOF detected", CLOSED),  # these three when TLS is spoken
    (b"unexpected eof", CLOSED),
    (b"closed unexpectedly", CLOSED),
    (b"SSL", Cause(Reason.TLS, "TLS handshake failed")),
    (b"session is ", Cause(Reason.NO_PRIMARY, "no server with the role that the URL asks for")),
    (b"hot standby", Cause(Reason.NO_PRIMARY, "no server with the role that the URL asks for")),
)
# Here an error is what the server reports of itself, so it says more than what kept us from reaching another server.
ORDER = (Reason.NO_PRIMARY, Reason.ERROR, *MOST_TELLING)


def cause_in(text: bytes) -> Cause:
    """The cause for a message of libpq about a connection that was lost or not made."""
    return next((cause for words, cause in TEXTS if words in text), REFUSED)


def is_socket(host: str) -> bool:
    """Whether libpq takes `host` for the folder of a Unix socket, not for a name."""
    return host.startswith(("/", "@"))


class _Connection:
    """A connection of libpq, driven step by step, so that each wait is held to the deadline."""

    def __init__(self, pgconn: abc.PGconn) -> None:
        self._pgconn = pgconn
        self._received = 0

    def connect(self, deadline: Deadline, hold: "KeptCheck[_Connection]") -> None:
        while (status := self._pgconn.connect_poll()) != PollingStatus.OK:
            if status == PollingStatus.FAILED or self._pgconn.status == ConnStatus.BAD:
                raise self._failure()
            # Again at each step: without TLS, libpq begins anew with another socket.
            with socket.socket(fileno=os.dup(self._pgconn.socket)) as sock:
                sock.setblocking(False)  # a duplicate of a blocking one would make libpq's blocking too
                hold.cutoff.hold(sock)
            self._wait(select.POLLIN if status == PollingStatus.READING else select.POLLOUT, deadline)
        self._pgconn.nonblocking = 1

    def query(self, statement: bytes, deadline: Deadline) -> None:
        """Return if `statement` gives a row."""
        try:
            self._pgconn.send_query(statement)
            while self._pgconn.flush():
                self._wait(select.POLLOUT, deadline)
            rows = sum(self._rows(deadline))
        except OperationalError as error:
            raise self._failure() from error
        if rows == 0:
            raise CheckFailed(Reason.PROTOCOL, "no row came back")
        self._received = 0

    def _rows(self, deadline: Deadline) -> Iterator[int]:
        while True:
            while self._pgconn.is_busy():
                self._wait(select.POLLIN, deadline)
                self._pgconn.consume_input()
            result = self._pgconn.get_result()
            if result is None:
                return
            if result.status == ExecStatus.FATAL_ERROR:
                state = result.error_field(DiagnosticField.SQLSTATE)
                raise CheckFailed(*STATES[state]) if state in STATES else self._failure()
            yield result.ntuples

    def _wait(self, events: int, deadline: Deadline) -> None:
        poll = select.poll()
        poll.register(self._pgconn.socket, events)
        if not poll.poll(deadline.remaining() * 1000):
            raise TimeoutError("no answer in time")
        # Counted before libpq reads, because it keeps all that it reads; what it leaves unread is counted once more.
        waiting = fcntl.ioctl(self._pgconn.socket, termios.FIONREAD, bytes(4))
        self._received += int.from_bytes(waiting, sys.byteorder)
        if self._received > MOST_BYTES:
            raise CheckFailed(Reason.PROTOCOL, "more data than an answer of PostgreSQL has")

    def _failure(self) -> CheckFailed:
        return CheckFailed(*cause_in(self._pgconn.error_message))

    def close(self) -> None:
        self._pgconn.finish()


class PostgresqlCheck(KeptCheck[_Connection]):
    """Asks the first server of `url`, a connection URI of libpq, that accepts.

    `ca_bundle` is the path of the PEM file for the verification that `sslmode` asks for, if the URL names none.
    """

    def __init__(self, name: str, url: str, ca_bundle: str, resolver: Resolver) -> None:
        super().__init__(name)
        self.parameters = {key: str(value) for key, value in conninfo_to_dict(url).items()}
        """The options of libpq that are in force."""
        self.parameters.setdefault("application_name", "server-health")
        self.parameters.setdefault("gssencmode", "disable")
        if self.parameters.get("sslmode", "").startswith("verify-"):
            self.parameters.setdefault("sslrootcert", ca_bundle)
        hosts = self.parameters.get("host", "").split(",")
        ports = self.parameters.get("port", "").split(",")
        self.servers = [
            (host, int(ports[position % len(ports)] or DEFAULT_PORT)) for position, host in enumerate(hosts)
        ]
        """Each host of the URL, or folder of a Unix socket, and its port."""
        self._resolver = resolver

    def connect(self, deadline: Deadline) -> _Connection:
        """See KeptCheck: every address of every host of the URL in turn."""
        failures = []
        for position, (host, port) in enumerate(self.servers):
            share = deadline.share(len(self.servers) - position)
            try:
                return self._connect_to(host, port, share)
            except (OSError, CheckFailed) as error:
                failures.append(error)
        raise self._most_telling(failures)

    def _connect_to(self, host: str, port: int, deadline: Deadline) -> _Connection:
        addresses = [""] if is_socket(host) else self._addresses(host, port, deadline)
        failures = []
        for position, address in enumerate(addresses):
            where = {"host": host, "port": str(port)} | ({"hostaddr": address} if address else {})
            connection = _Connection(PGconn.connect_start(make_conninfo("", **self.parameters | where).encode()))
            try:
                connection.connect(deadline.share(len(addresses) - position), self)
            except (OSError, CheckFailed) as error:
                connection.close()
                failures.append(error)
            except BaseException:
                connection.close()
                raise
            else:
                return connection
        raise self._most_telling(failures)

    def _most_telling(self, failures: Sequence[Exception]) -> Exception:
        # A name has an IPv6 address on many machines without IPv6: the last failure may say nothing of the server.
        def rank(failure: Exception) -> int:
            cause = self.cause(failure)
            return len(ORDER) if cause in (REFUSED, UNEXPECTED) else ORDER.index(cause.reason)

        return min(failures, key=rank)

    def _addresses(self, host: str, port: int, deadline: Deadline) -> list[str]:
        # libpq would look the name up by itself, and nothing could interrupt that.
        return [str(address[4][0]) for address in self._resolver.resolve(host, port, deadline)]

    def ask(self, connection: _Connection, deadline: Deadline) -> None:
        """See KeptCheck."""
        connection.query(b"SELECT 1", deadline)


def create(config: CheckConfig) -> Check:
    """The check of a `postgresql` or `postgres` URL."""
    return PostgresqlCheck(config.name, config.url, config.ca_bundle, config.resolver)
