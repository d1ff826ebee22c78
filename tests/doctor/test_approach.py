"""What the approach to every kind has in common: several servers, Unix sockets, and a kind without steps of its own."""

import socket
import tempfile
import time
import unittest
from unittest import mock

from app.checks.check import CheckConfig
from app.checks.kinds import KINDS, Kind
from app.doctor import advice as a
from app.doctor.approach import Place
from app.doctor.examination import State, examine
from app.doctor.subjects import approach
from app.net.reason import Reason
from tests.doctor.broken import answering, encrypted, general
from tests.doctor.diagnosing import PLAIN, DiagnosisTest, NamesHere
from tests.fakes import DEADLINE, FakeCheck
from tests.peers.certificates import issued
from tests.peers.mongo import Script, ScriptedMongo
from tests.peers.ports import reserve_port
from tests.peers.tcp_server import ScriptedServer


class OwnKindTest(DiagnosisTest):
    """A kind of which the doctor has never heard."""

    def setUp(self):
        self.check = FakeCheck()
        kind = Kind("memcached", 11211, lambda config: self.check)
        self.enterContext(mock.patch.dict(KINDS, {"memcached": kind, "memcacheds": kind}))
        self.ca_bundle = None

    def diagnose(self, url):
        config = CheckConfig("it", url, DEADLINE, self.ca_bundle or "", NamesHere())
        return examine(approach("memcached", config, Place(False, time.time())))

    def test_it_gets_a_name_a_connection_and_its_check(self):
        with ScriptedServer(lambda server, sock: None) as server:
            url = f"memcached://127.0.0.1:{server.port}"
            self.assert_well(self.diagnose(url), "name", "connect", "check")
            self.check.failure = Reason.CONTENT
            self.assert_failed(self.diagnose(url), "check", general(Reason.CONTENT))
            self.check.failure = Reason.ERROR
            self.assert_failed(self.diagnose(url), "check", a.REPORTED.about(detail="scripted"))
            self.check.failure = ZeroDivisionError()
            self.assert_failed(self.diagnose(url), "check", a.UNEXPECTED.about(error="ZeroDivisionError"))
        self.assertEqual((self.check.runs, self.check.closes), (4, 4))

    def test_its_scheme_with_an_s_asks_for_tls(self):
        context, self.ca_bundle = issued(self.enterContext(tempfile.TemporaryDirectory()))
        with encrypted(context) as port:
            diagnosis = self.diagnose(f"memcacheds://127.0.0.1:{port}")
        self.assert_well(diagnosis, "name", "connect", "tls", "check")
        self.assertRegex(
            self.text(diagnosis, "tls"), r"\ATLSv1\.\d, issued by Corp CA for 127\.0\.0\.1, valid for 30 days\Z"
        )


class SeveralServersTest(DiagnosisTest):
    def test_one_server_of_several_is_enough_and_the_others_are_named(self):
        with ScriptedMongo(Script.HEALTHY) as server, reserve_port() as reserved:
            closed = f"127.0.0.1:{reserved.getsockname()[1]}"
            diagnosis = self.diagnose(f"mongodb://nobody.internal,{closed},{server.address}/?directConnection=false")
            self.assertIn("nobody.internal: name not found", self.text(diagnosis, "name"))
            expected = f"{closed} connection refused; {server.address} connected"
            self.assertEqual(self.text(diagnosis, "connect"), expected)
            self.assertEqual(self.text(diagnosis, "speak"), "standalone server")

    def test_a_server_that_is_not_understood_is_named_and_left_out(self):
        with ScriptedMongo(Script.PRIMARY) as server, ScriptedServer(lambda server, sock: sock.recv(100)) as other:
            diagnosis = self.diagnose(f"mongodb://127.0.0.1:{other.port},{server.address}/?replicaSet=rs")
            text = self.text(diagnosis, "speak")
        self.assertIn(f"127.0.0.1:{other.port} connection closed without an answer; {server.address} primary", text)

    def test_no_server_that_is_understood_fails_with_the_sentences_of_the_first(self):
        with ScriptedServer(lambda server, sock: sock.recv(100)) as one, ScriptedMongo(Script.GARBAGE) as two:
            diagnosis = self.diagnose(f"mongodb://127.0.0.1:{one.port},{two.address}/")
        self.assert_failed(diagnosis, "speak", general(Reason.CLOSED))
        self.assertIn("not an answer of MongoDB", self.text(diagnosis, "speak"))

    def test_a_server_that_hangs_leaves_time_for_the_members(self):
        with ScriptedMongo(Script.PRIMARY) as server, answering(None) as hung:
            server.play(Script.PRIMARY, hosts=[server.address, f"127.0.0.1:{hung}"])
            url = f"mongodb://{server.address},127.0.0.1:{hung}/?replicaSet=rs"
            diagnosis = self.diagnose(url, timeout=DEADLINE, limit=1.0)
        self.assert_well(diagnosis, *PLAIN)
        self.assertRegex(self.text(diagnosis, "speak"), f"127.0.0.1:{hung} no answer in time; .+:{hung} connected")

    def test_no_more_members_are_tried_than_the_driver_accepts(self):
        with ScriptedMongo(Script.PRIMARY) as one, ScriptedMongo(Script.PRIMARY) as two:
            for server in (one, two):
                server.play(Script.PRIMARY, hosts=[f"{server.port}-{number}.internal:1" for number in range(30)])
            diagnosis = self.diagnose(f"mongodb://{one.address},{two.address}/")
        self.assert_failed(diagnosis, "speak", general(Reason.PROTOCOL))
        self.assertEqual(self.text(diagnosis, "speak"), "more than 50 servers")

    def test_members_that_the_driver_does_not_dial_are_not_tried(self):
        with ScriptedMongo(Script.PRIMARY) as server:
            server.play(Script.PRIMARY, hosts=[server.address, "nobody.internal:1"])
            diagnosis = self.diagnose(f"mongodb://{server.address}/?directConnection=true")
            self.assert_well(diagnosis, "name", "connect", "speak", "authenticate", "check")


class UnixSocketTest(DiagnosisTest):
    def test_a_unix_socket_is_left_to_the_session_and_the_check(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/.s.PGSQL.5432")
            listener.listen()
            listener.shutdown(socket.SHUT_RDWR)
            diagnosis = self.diagnose(f"postgresql://u:p@/db?host={folder}&sslmode=require")
        states = {each.name: each.state for each in diagnosis.steps}
        skipped = dict.fromkeys(("name", "connect", "tls", "speak"), State.SKIPPED)
        self.assertEqual(states, {**skipped, "authenticate": State.FAILED, "check": State.SKIPPED})
        self.assertEqual(diagnosis.advice, general(Reason.REFUSED))

    def test_a_unix_socket_that_does_not_exist_is_named_as_such(self):
        diagnosis = self.diagnose("postgresql://u:p@/db?host=/nonexistent")
        self.assert_failed(diagnosis, "authenticate", a.NO_SOCKET)
        diagnosis = self.diagnose("mongodb://%2Fnonexistent.sock/")
        self.assert_failed(diagnosis, "check", a.NO_SOCKET)


class UnescapedTest(DiagnosisTest):
    def test_an_unescaped_character_is_named_and_nothing_that_may_be_a_part_of_the_password_is_shown(self):
        diagnosis = self.diagnose("http://someone:12/hunter@ai.internal/health")
        oddity = "it has an unescaped / in the user or the password: write %2F"
        self.assert_failed(diagnosis, "name", a.UNESCAPED.about(oddity=oddity))
        self.assertNotIn("someone", repr(diagnosis))
        with reserve_port() as reserved:
            port = reserved.getsockname()[1]
            diagnosis = self.diagnose(f"http://127.0.0.1:{port}/hunter@ai.internal/health")
        self.assert_failed(diagnosis, "connect", general(Reason.REFUSED))
        self.assertNotIn(str(port), repr(diagnosis))

    def test_a_certificate_is_not_compared_with_a_host_that_may_be_the_user(self):
        context, bundle = issued(self.enterContext(tempfile.TemporaryDirectory()))
        with encrypted(context) as port:
            url, names = f"https://someone:{port}/hunter@ai.internal", NamesHere(someone="127.0.0.1")
            diagnosis = self.diagnose(url, ca_bundle=bundle, resolver=names)
        oddity = "it has an unescaped / in the user or the password: write %2F"
        self.assert_failed(diagnosis, "tls", a.UNESCAPED.about(oddity=oddity))
        self.assertNotIn("someone", repr(diagnosis))


class LimitTest(DiagnosisTest):
    def test_a_check_gets_its_own_timeout_up_to_30_s(self):
        left = []

        class Check(FakeCheck):
            def run(self, deadline):
                left.append(deadline.remaining())

        for timeout in (0.1, 20.0, 86400.0):
            with (
                ScriptedServer(lambda server, sock: None) as server,
                mock.patch.dict(KINDS, {"own": Kind("own", 1, lambda config: Check())}),
            ):
                config = CheckConfig("it", f"own://127.0.0.1:{server.port}", timeout, "", NamesHere())
                examine(approach("own", config, Place(False, 0.0)))
        self.assertEqual([round(seconds) for seconds in left], [0, 20, 30])

    def test_a_longer_timeout_of_its_own_gives_every_step_as_long_up_to_30_s(self):
        for timeout, limit in ((0.1, 5.0), (30.0, 30.0), (86400.0, 30.0)):
            config = CheckConfig("it", "http://h", timeout, "", NamesHere())
            made = approach("http", config, Place(False, 0.0))
            self.addCleanup(made.close)
            self.assertEqual(made.limit, limit)

    def test_the_limit_ends_the_dial_of_an_upstream_whose_own_timeout_is_longer(self):
        with answering(None) as port:
            diagnosis = self.diagnose(f"ws://127.0.0.1:{port}", timeout=600.0, limit=1.0)
        self.assert_failed(diagnosis, "speak", a.SILENT.about(protocol="WebSocket"))
        self.assertLess(sum(each.ms for each in diagnosis.steps), 60_000)


if __name__ == "__main__":
    unittest.main()
