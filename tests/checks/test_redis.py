"""Every way in which Redis can fail, from a real one, and from a peer where that one would not."""

import contextlib
import shutil
import tempfile
import unittest
import unittest.mock

import certifi

from app.checks.check import perform
from app.checks.redis import RedisCheck
from app.net.reason import CERTIFICATE_REFUSED, Reason
from app.net.resolver import Resolver
from tests.fakes import DEADLINE
from tests.peers.certificates import server_context
from tests.peers.redis import redis_server
from tests.peers.tcp_server import ScriptedServer, closing, refusing_late

PING = b"*1\r\n$4\r\nPING\r\n"


class RedisTest(unittest.TestCase):
    def check(self, port, *credentials, ca_bundle=None):
        check = RedisCheck("cache", "127.0.0.1", port, credentials, ca_bundle, Resolver())
        self.addCleanup(check.close)
        return check

    def assert_cause(self, check, reason, detail=None, timeout=DEADLINE):
        outcome = perform(check, timeout)
        self.assertEqual((outcome.reason, outcome.cause and outcome.cause.detail), (reason, detail), outcome.error)
        return outcome


class RealRedisTest(RedisTest):
    def test_a_server_without_a_password(self):
        with redis_server() as port:
            check = self.check(port)
            for _ in range(3):
                self.assert_cause(check, None)
            self.assert_cause(self.check(port, "hunter2"), Reason.AUTH, "it does not expect a password")

    def test_a_password(self):
        with redis_server("--requirepass", "hunter2") as port:
            self.assert_cause(self.check(port, "hunter2"), None)
            self.assert_cause(self.check(port), Reason.AUTH, "a password is required")
            self.assert_cause(self.check(port, "hunter3"), Reason.AUTH, "user or password refused")

    def test_a_user_of_an_access_control_list(self):
        with redis_server(
            *["--user", "probe", "on", ">hunter2", "+ping", "--user", "mute", "on", ">hunter2", "-@all"]
        ) as port:
            self.assert_cause(self.check(port, "probe", "hunter2"), None)
            self.assert_cause(self.check(port, "probe", "wrong"), Reason.AUTH, "user or password refused")
            self.assert_cause(self.check(port, "mute", "hunter2"), Reason.AUTH, "the user may not run PING")

    def test_tls_and_when_its_certificate_expires(self):
        with tempfile.TemporaryDirectory() as folder:
            _, bundle = server_context(folder)
            with redis_server(tls=(bundle, f"{folder}/key.pem")) as port:
                outcome = self.assert_cause(self.check(port, ca_bundle=bundle), None)
                self.assertGreater(outcome.certificate_expires_at, 1_700_000_000_000)
                self.assert_cause(self.check(port), Reason.CLOSED, "connection closed without an answer")
                untrusted = self.check(port, ca_bundle=certifi.where())
                self.assert_cause(untrusted, Reason.TLS, "certificate is self-signed")

    def test_a_bundle_that_is_replaced_on_disk_takes_effect_at_the_next_check(self):
        with tempfile.TemporaryDirectory() as folder:
            _, pem = server_context(folder)
            bundle = shutil.copy(certifi.where(), folder)
            with redis_server(tls=(pem, f"{folder}/key.pem")) as port:
                check = self.check(port, ca_bundle=bundle)
                self.assert_cause(check, Reason.TLS, "certificate is self-signed")
                shutil.copy(pem, bundle)
                self.assert_cause(check, None)

    def test_too_many_connections(self):
        with redis_server("--maxclients", "1") as port:
            self.assert_cause(self.check(port), None)
            self.assert_cause(self.check(port), Reason.ERROR, "too many connections")

    def test_a_kept_connection_that_is_lost_is_replaced_once_and_a_server_that_has_gone_refuses(self):
        with contextlib.ExitStack() as stack:
            port = stack.enter_context(redis_server("--timeout", "0"))
            check, other = self.check(port), self.check(port)
            self.assert_cause(check, None)
            self.assert_cause(other, None)
            check._kept._sock.shutdown(2)
            self.assert_cause(check, None)
        self.assert_cause(check, Reason.REFUSED, "connection refused")


class ScriptedRedisTest(RedisTest):
    def assert_answer(self, answer, reason, detail=None):
        def serve(server, sock):
            while sock.recv(65536):
                sock.sendall(answer)

        with ScriptedServer(serve) as server:
            self.assert_cause(self.check(server.port), reason, detail)

    def test_every_answer_has_its_words(self):
        for answer, reason, detail in [
            (b"-LOADING Redis is loading the dataset in memory\r\n", Reason.ERROR, "loading its data"),
            (b"-MASTERDOWN Link with MASTER is down\r\n", Reason.ERROR, "replica without its primary"),
            (b"-ERR invalid password\r\n", Reason.AUTH, "user or password refused"),
            (b"-ERR something else\r\n", Reason.ERROR, "answered with an error"),
            (b"+OK\r\n", Reason.PROTOCOL, "not an answer of Redis"),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", Reason.PROTOCOL, "not an answer of Redis"),
            (b"x" * 100_000, Reason.PROTOCOL, "not an answer of Redis"),
        ]:
            with self.subTest(answer[:20]):
                self.assert_answer(answer, reason, detail)

    def test_a_peer_that_is_mute_or_drips_is_a_timeout_and_its_connection_is_closed(self):
        def drip(server, sock):
            while not server.ended.wait(0.02):
                sock.sendall(b"+")

        for serve in (lambda server, sock: server.ignore(sock), drip):
            with ScriptedServer(serve) as server:
                self.assert_cause(self.check(server.port), Reason.TIMEOUT, "no answer in time", timeout=0.3)
                self.assertTrue(server.wait_for_open(0))

    def test_without_its_file_of_authorities_it_does_not_dial(self):
        with ScriptedServer(lambda server, sock: server.ignore(sock)) as server:
            check = self.check(server.port, ca_bundle="/nonexistent.pem")
            self.assert_cause(check, Reason.TLS, "the file of authorities cannot be read")
            self.assertEqual(server.connections, 0)

    @unittest.mock.patch.multiple("app.net.tls", LOOK_SECONDS=DEADLINE, ALERT_SECONDS=DEADLINE)
    def test_a_server_that_closes_after_the_tls_handshake_is_asked_once_more_whether_it_refuses_us(self):
        context, bundle = server_context(self.enterContext(tempfile.TemporaryDirectory()))
        for script, (reason, detail) in [
            (closing(context), (Reason.CLOSED, "connection closed without an answer")),
            (refusing_late(context), CERTIFICATE_REFUSED),
        ]:
            with self.subTest(reason), ScriptedServer(script) as server:
                self.assert_cause(self.check(server.port, ca_bundle=bundle), reason, detail)
                self.assertEqual(server.connections, 2)

    def test_a_peer_that_closes_is_asked_no_second_time_on_a_new_connection(self):
        with ScriptedServer(lambda server, sock: sock.recv(100)) as server:
            self.assert_cause(self.check(server.port), Reason.CLOSED, "connection closed without an answer")
            self.assertEqual(server.connections, 1)


if __name__ == "__main__":
    unittest.main()
