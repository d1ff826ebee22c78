"""Every way in which PostgreSQL can fail, from a real one, and from a peer where that one would not."""

import contextlib
import errno
import os
import pathlib
import select
import shutil
import signal
import socket
import struct
import tempfile
import unittest

import certifi
import psycopg

from app.checks.check import CheckFailed, perform
from app.checks.postgresql import MOST_BYTES, PostgresqlCheck, cause_in
from app.net.reason import Reason, cause_of
from app.net.resolver import Resolver
from tests.fakes import DEADLINE
from tests.peers.addresses import NO_ROUTE
from tests.peers.certificates import server_context
from tests.peers.ports import reserve_port
from tests.peers.postgresql import PASSWORD, postgresql
from tests.peers.service import eventually
from tests.peers.tcp_server import ScriptedServer


def message(kind, body):
    """A message of PostgreSQL's protocol."""
    return kind + struct.pack("!I", 4 + len(body)) + body


def row(value):
    """The message with a row of one column."""
    return message(b"D", struct.pack("!HI", 1, len(value)) + value)


ACCEPTED = message(b"R", bytes(4))
READY = message(b"Z", b"I")
COLUMN = message(b"T", struct.pack("!H", 1) + b"x\0" + struct.pack("!IHIhIH", 0, 0, 25, -1, 0, 0))
DONE = message(b"C", b"SELECT 1\0") + READY


class PostgresqlTest(unittest.TestCase):
    def check(self, url, ca_bundle="/nonexistent", resolver=None):
        check = PostgresqlCheck("database", url, ca_bundle, resolver or Resolver())
        self.addCleanup(check.close)
        return check

    def assert_cause(self, check, reason, detail=None, timeout=DEADLINE):
        outcome = perform(check, timeout)
        self.assertEqual((outcome.reason, outcome.cause and outcome.cause.detail), (reason, detail), outcome.error)


class RealPostgresqlTest(PostgresqlTest):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(postgresql())

    def test_users_passwords_and_databases(self):
        with self.server.running():
            check = self.check(self.server.url())
            for _ in range(3):
                self.assert_cause(check, None)
            refused = "user or password refused"
            self.assert_cause(self.check(self.server.url(password="wrong")), Reason.AUTH, refused)
            self.assert_cause(self.check(self.server.url(user="nobody")), Reason.AUTH, refused)
            self.assert_cause(
                self.check(f"postgresql://postgres@127.0.0.1:{self.server.port}"), Reason.AUTH, "a password is required"
            )
            absent = "the database does not exist, or is not open to this user"
            self.assert_cause(self.check(self.server.url(database="absent")), Reason.ERROR, absent)
            self.assert_cause(
                self.check(self.server.url(sslmode="require")), Reason.TLS, "the server does not offer TLS"
            )

    def test_a_kept_connection_that_the_server_ends_is_replaced_in_the_same_check(self):
        with self.server.running():
            check = self.check(self.server.url())
            self.assert_cause(check, None)
            with psycopg.connect(self.server.url(), autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'server-health'"
                )
            self.assert_cause(check, None)

    def test_too_many_connections(self):
        with self.server.running("max_connections=2", "superuser_reserved_connections=0", "max_wal_senders=0"):
            kept = [self.check(self.server.url()) for _ in range(2)]
            for check in kept:
                self.assert_cause(check, None)
            self.assert_cause(self.check(self.server.url()), Reason.ERROR, "too many connections")

    def test_too_many_connections_of_one_role_are_reported_like_those_of_the_server(self):
        with self.server.running():
            with psycopg.connect(self.server.url(), autocommit=True) as admin:
                admin.execute(f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}' CONNECTION LIMIT 1")
            kept = self.check(self.server.url(user="app"))
            self.assert_cause(kept, None)
            self.assert_cause(self.check(self.server.url(user="app")), Reason.ERROR, "too many connections")

    def test_a_server_that_is_stopped_is_a_timeout_and_one_that_has_ended_refuses(self):
        with self.server.running() as process:
            check = self.check(self.server.url())
            self.assert_cause(check, None)
            process.send_signal(signal.SIGSTOP)
            new = self.check(self.server.url())
            self.assert_cause(new, Reason.TIMEOUT, "no answer in time", timeout=0.3)
            process.send_signal(signal.SIGCONT)
        self.assert_cause(check, Reason.REFUSED, "connection refused")

    def test_a_server_that_is_starting_up(self):
        (self.server.data / "standby.signal").touch()
        self.addCleanup((self.server.data / "standby.signal").unlink)
        # It waits for the command before it looks at its own log.
        with self.server.running("restore_command=sleep 3", ready="listening on"):
            self.assert_cause(self.check(self.server.url()), Reason.ERROR, "starting up")
        with self.server.running("restore_command=false", "hot_standby=off", ready="entering standby mode"):
            detail = "a standby that accepts no connections"
            check = self.check(self.server.url())
            self.assertTrue(eventually(lambda: perform(check, DEADLINE).cause == (Reason.ERROR, detail)))

    @contextlib.contextmanager
    def running_with_tls(self):
        """A context in which the server offers TLS: a folder, and the path of the PEM file that makes a client trust it."""
        with tempfile.TemporaryDirectory(dir=self.server.data.parent) as folder:
            _, pem = server_context(folder)
            for path in (pathlib.Path(folder), *pathlib.Path(folder).iterdir()):
                shutil.chown(path, "postgres")
                path.chmod(0o711 if path.is_dir() else 0o600)
            with self.server.running("ssl=on", f"ssl_cert_file={pem}", f"ssl_key_file={folder}/key.pem"):
                yield folder, pem

    def test_tls_verifies_the_certificate_as_the_url_asks_and_reads_a_replaced_bundle_again(self):
        with self.running_with_tls() as (folder, pem):
            bundle = shutil.copy(certifi.where(), folder)
            self.assert_cause(self.check(self.server.url(sslmode="verify-full"), pem), None)
            self.assert_cause(self.check(self.server.url(sslmode="require")), None)
            check = self.check(self.server.url(sslmode="verify-full"), bundle)
            self.assert_cause(check, Reason.TLS, "certificate refused")
            shutil.copy(pem, bundle)
            self.assert_cause(check, None)

    def test_a_kept_connection_over_tls_that_a_proxy_ends_is_replaced_in_the_same_check(self):
        def forward(proxy, sock):
            with socket.create_connection(("127.0.0.1", self.server.port)) as upstream:
                while True:
                    for each in select.select([sock, upstream], [], [])[0]:
                        if not (data := each.recv(65536)):
                            return
                        (upstream if each is sock else sock).sendall(data)

        with self.running_with_tls(), ScriptedServer(forward) as proxy:
            url = self.server.url(sslmode="require").replace(str(self.server.port), str(proxy.port))
            check = self.check(url)
            self.assert_cause(check, None)
            proxy.drop_connections()
            self.assertTrue(proxy.wait_for_open(0))
            self.assert_cause(check, None)
            self.assertEqual(proxy.connections, 2)


class ScriptedPostgresqlTest(PostgresqlTest):
    def url(self, server):
        return f"postgresql://someone:secret@127.0.0.1:{server.port}/db"

    def test_a_peer_that_is_mute_or_drips_is_a_timeout_and_its_connection_is_closed(self):
        def drip(server, sock):
            sock.recv(100)
            for byte in b"R\0\0\1\0" + bytes(100):
                sock.sendall(bytes([byte]))
                server.ended.wait(0.02)

        for serve in (lambda server, sock: server.ignore(sock), drip):
            with ScriptedServer(serve) as server:
                check = self.check(self.url(server) + "?sslmode=disable")
                self.assert_cause(check, Reason.TIMEOUT, "no answer in time", timeout=0.3)
                self.assertTrue(server.wait_for_open(0))

    def test_a_tls_handshake_that_is_not_answered_is_a_timeout_without_help_from_outside(self):
        def agree(server, sock):
            sock.recv(8)
            sock.sendall(b"S")
            server.ended.wait(DEADLINE)

        with ScriptedServer(agree) as server:
            check = self.check(self.url(server) + "?sslmode=require")
            self.assert_cause(check, Reason.TIMEOUT, "no answer in time", timeout=0.3)

    def test_a_peer_that_closes_and_one_that_speaks_another_protocol(self):
        with ScriptedServer(lambda server, sock: sock.recv(100)) as server:
            self.assert_cause(self.check(self.url(server)), Reason.CLOSED, "connection closed without an answer")

        def answer(server, sock):
            sock.recv(100)
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        with ScriptedServer(answer) as server:
            self.assert_cause(self.check(self.url(server)), Reason.PROTOCOL, "not an answer of PostgreSQL")

    def test_a_peer_that_sends_more_than_postgresql_would_has_failed_before_it_is_read(self):
        setting = message(b"S", b"name\0" + b"v" * 1000 + b"\0")
        floods = {
            "settings": (ACCEPTED + 4096 * setting, b""),
            "rows": (ACCEPTED + READY, COLUMN + 4096 * row(bytes(1000))),
            "one row": (ACCEPTED + READY, COLUMN + row(bytes(4096 * 1000))),
        }
        for name, (greeting, answer) in floods.items():

            def flood(server, sock, greeting=greeting, answer=answer):
                for words in (greeting, answer):
                    sock.recv(1000)
                    sock.sendall(words)
                server.ignore(sock)

            with self.subTest(name), ScriptedServer(flood) as server:
                check = self.check(self.url(server) + "?sslmode=disable")
                self.assert_cause(check, Reason.PROTOCOL, "more data than an answer of PostgreSQL has")
                self.assertTrue(server.wait_for_open(0))

    def test_what_a_kept_connection_may_send_is_counted_anew_at_each_check(self):
        def answer(server, sock):
            sock.recv(1000)
            sock.sendall(ACCEPTED + READY)
            while sock.recv(1000):
                sock.sendall(COLUMN + row(bytes(MOST_BYTES // 3)) + DONE)

        with ScriptedServer(answer) as server:
            check = self.check(self.url(server) + "?sslmode=disable")
            for _ in range(4):
                self.assert_cause(check, None)
            self.assertEqual(server.connections, 1)

    def test_every_host_of_the_url_is_tried(self):
        with ScriptedServer(lambda server, sock: sock.recv(100)) as server, reserve_port() as closed:
            url = f"postgresql://u:p@127.0.0.1:{closed.getsockname()[1]},127.0.0.1:{server.port}/db"
            self.assert_cause(self.check(url), Reason.CLOSED, "connection closed without an answer")

    def test_of_several_servers_or_addresses_the_failure_that_says_most_is_reported(self):
        def start_up(server, sock):
            sock.recv(100)
            sock.sendall(message(b"E", b"MFATAL: the database system is starting up\0\0"))

        def addresses(host, port, **options):
            if "flags" in options:
                raise socket.gaierror(socket.EAI_NONAME, "not an address")
            return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (each, port)) for each in ("127.0.0.1", NO_ROUTE)]

        with ScriptedServer(start_up) as server, reserve_port() as closed:
            url = f"postgresql://u:p@127.0.0.1:{server.port},127.0.0.1:{closed.getsockname()[1]}/db?sslmode=disable"
            self.assert_cause(self.check(url), Reason.ERROR, "starting up")
            url = f"postgresql://u:p@database.internal:{server.port}/db?sslmode=disable"
            self.assert_cause(self.check(url, resolver=Resolver(addresses)), Reason.ERROR, "starting up")


class MessageTest(unittest.TestCase):
    def test_an_address_that_this_machine_cannot_connect_from_is_unreachable(self):
        for number in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EHOSTDOWN, errno.EPERM, errno.EMFILE):
            text = f'connection to server at "::1", port 5432 failed: {os.strerror(number)}\n'
            self.assertEqual(cause_in(text.encode()), cause_of(OSError(number, "")))

    def test_a_file_of_certificates_that_cannot_be_read_is_tls(self):
        for text, detail in (
            (b'root certificate file "/ca.pem" does not exist', "the file of authorities cannot be read"),
            (b'could not open certificate file "/c.pem": Permission denied', "a certificate file cannot be read"),
            (b'could not stat private key file "/k.pem": Permission denied', "a certificate file cannot be read"),
            (b'private key file "/k.pem" has group or world access', "a certificate file cannot be read"),
        ):
            with self.subTest(text):
                self.assertEqual(cause_in(text), (Reason.TLS, detail))

    def test_of_several_failures_a_text_of_libpq_that_is_not_known_says_least(self):
        check = PostgresqlCheck("db", "postgresql://127.0.0.1", "", Resolver())
        texts = b"Invalid argument", b"Connection refused", b"the database system is starting up"
        failures = [CheckFailed(*cause_in(text)) for text in texts]
        self.assertIs(check._most_telling(failures[:2]), failures[1])
        self.assertIs(check._most_telling(failures), failures[2])

    def test_a_connection_that_ends_without_the_farewell_of_tls_is_closed_and_not_a_failure_of_tls(self):
        for text in (
            b"SSL connection has been closed unexpectedly",
            b"SSL error: unexpected eof while reading",
            b"SSL SYSCALL error: EOF detected",
            b"SSL SYSCALL error: Connection reset by peer",
        ):
            with self.subTest(text):
                self.assertEqual(cause_in(text), (Reason.CLOSED, "connection closed without an answer"))


if __name__ == "__main__":
    unittest.main()
