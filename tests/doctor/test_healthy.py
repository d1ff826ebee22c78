"""Real peers that are well, with everything that they can be asked for."""

import pathlib
import tempfile

from app.doctor import advice as a
from tests.doctor.broken import SOON, answering, encrypted
from tests.doctor.diagnosing import ENCRYPTED, PLAIN, SHOWN, DiagnosisTest
from tests.peers.ai_service import FaultyAiService, answer
from tests.peers.certificates import issued
from tests.peers.mongo import Nx27017, Script, ScriptedMongo
from tests.peers.redis import redis_server
from tests.peers.secantusdb import SecantusDb, program
from tests.peers.tcp_server import ScriptedServer
from tests.peers.websocket import read_all, upstream


class HealthyTest(DiagnosisTest):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def assert_texts(self, diagnosis, **texts):
        self.assertEqual({step: self.text(diagnosis, step) for step in texts}, texts)

    def test_an_http_service(self):
        with FaultyAiService() as server:
            diagnosis = self.diagnose(f"http://someone:hunter2@127.0.0.1:{server.port}")
            self.assert_well(diagnosis, *PLAIN)
            self.assert_texts(diagnosis, speak="HTTP/1.1 200 OK", authenticate="not refused", check="connected")

    def test_an_http_service_whose_401_is_accepted(self):
        with answering(answer(b"401 U")) as port:
            diagnosis = self.diagnose(f"http://127.0.0.1:{port}", statuses=(401,))
        self.assert_well(diagnosis, *PLAIN)
        self.assert_texts(diagnosis, authenticate="`STATUSES` accepts this answer", check="connected")

    def test_an_https_service(self):
        context, bundle = issued(self.folder)
        with FaultyAiService(tls=context) as server:
            diagnosis = self.diagnose(server.url, ca_bundle=bundle)
        self.assert_well(diagnosis, *ENCRYPTED)
        self.assertRegex(self.text(diagnosis, "tls"), SHOWN)

    def test_redis_with_a_password_over_tls(self):
        _, bundle = issued(self.folder)
        chain = str(self.folder / "chain.pem")
        with redis_server("--requirepass", "hunter2", tls=(chain, chain)) as port:
            diagnosis = self.diagnose(f"rediss://:hunter2@127.0.0.1:{port}", ca_bundle=bundle)
        self.assert_well(diagnosis, *ENCRYPTED)
        self.assertRegex(self.text(diagnosis, "tls"), SHOWN)
        self.assert_texts(diagnosis, speak="Redis, requires a password", authenticate="accepted")

    def test_redis_without_a_password(self):
        with redis_server() as port:
            diagnosis = self.diagnose(f"redis://127.0.0.1:{port}")
        self.assert_well(diagnosis, *PLAIN)
        self.assert_texts(diagnosis, speak="Redis, answers PING", check="connected")

    def test_a_tcp_server(self):
        with ScriptedServer(lambda server, sock: None) as server:
            self.assert_well(self.diagnose(f"tcp://127.0.0.1:{server.port}"), "name", "connect", "check")

    def test_an_upstream_with_and_without_tls(self):
        context, bundle = issued(self.folder)
        with upstream(read_all) as port:
            diagnosis = self.diagnose(f"ws://someone:hunter2@127.0.0.1:{port}/feed")
        self.assert_well(diagnosis, *PLAIN)
        self.assert_texts(diagnosis, speak="WebSocket, answered 101 Switching Protocols", authenticate="accepted")
        with upstream(read_all, tls=context) as port:
            self.assert_well(self.diagnose(f"wss://127.0.0.1:{port}/feed", ca_bundle=bundle), *ENCRYPTED)


class HealthyMongoDbTest(DiagnosisTest):
    def test_a_standalone_server(self):
        with Nx27017() as server:
            diagnosis = self.diagnose(server.uri)
        self.assert_well(diagnosis, *PLAIN)
        self.assertRegex(self.text(diagnosis, "speak"), "standalone server|primary of the set")

    def test_a_replica_set_and_its_members(self):
        with ScriptedMongo(Script.PRIMARY) as primary, ScriptedMongo(Script.SECONDARY) as secondary:
            members = {"hosts": [primary.address, secondary.address], "primary": primary.address}
            primary.play(Script.PRIMARY, **members)
            secondary.play(Script.SECONDARY, me=secondary.address, **members)
            diagnosis = self.diagnose(f"mongodb://{secondary.address}/?replicaSet=rs")
        self.assert_well(diagnosis, *PLAIN)
        self.assertEqual(
            self.text(diagnosis, "speak"),
            f"secondary of the set rs, its primary is {primary.address}; "
            f"{primary.address} connected; {secondary.address} connected",
        )

    def test_a_certificate_that_the_url_does_not_verify(self):
        context, _ = issued(self.enterContext(tempfile.TemporaryDirectory()))
        with encrypted(context) as port:
            url = f"mongodb://127.0.0.1:{port}/?tls=true&tlsAllowInvalidCertificates=true"
            diagnosis = self.diagnose(url, **SOON)
        self.assertRegex(self.text(diagnosis, "tls"), "not verified, as the URL asks, issued by Corp CA for 127.0.0.1")

    def test_a_server_with_users(self):
        program()
        with SecantusDb("--auth", user="someone", password="hunter2") as server:
            uri = server.uri.replace("//", "//someone:hunter2@")
            diagnosis = self.diagnose(uri)
            self.assert_well(diagnosis, *PLAIN)
            self.assertEqual(self.text(diagnosis, "authenticate"), "accepted")
            diagnosis = self.diagnose(uri.replace("hunter2", "hunter3"))
            hint = ", and `authSource` must name the database that keeps the user"
            self.assert_failed(diagnosis, "authenticate", a.REFUSED.about(hint=hint))
