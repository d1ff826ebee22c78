"""Real peers that are well, with everything that they can be asked for."""

import pathlib
import shutil
import tempfile

from app.doctor import advice as a
from tests.doctor.diagnosing import DiagnosisTest
from tests.peers.ai_service import FaultyAiService
from tests.peers.certificates import issued
from tests.peers.mongo import Nx27017, Script, ScriptedMongo
from tests.peers.postgresql import postgresql
from tests.peers.redis import redis_server
from tests.peers.secantusdb import SecantusDb, program
from tests.peers.tcp_server import ScriptedServer
from tests.peers.websocket import read_all, upstream

PLAIN = ("name", "connect", "speak", "authenticate", "check")
ENCRYPTED = ("name", "connect", "tls", "speak", "authenticate", "check")
SHOWN = r"\ATLSv1\.\d, issued by Corp CA for 127\.0\.0\.1, valid for 30 days\Z"


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

    def test_postgresql_with_and_without_tls(self):
        with postgresql() as server:
            folder = pathlib.Path(tempfile.mkdtemp(dir=server.data.parent))
            _, bundle = issued(folder)
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, "postgres")
                path.chmod(0o711 if path.is_dir() else 0o600)
            chain = folder / "chain.pem"
            with server.running("ssl=on", f"ssl_cert_file={chain}", f"ssl_key_file={chain}"):
                for mode in ("verify-full", "verify-ca"):
                    diagnosis = self.diagnose(server.url(sslmode=mode), ca_bundle=bundle)
                    self.assert_well(diagnosis, *ENCRYPTED)
                    self.assertRegex(self.text(diagnosis, "tls"), SHOWN)
                diagnosis = self.diagnose(server.url(sslmode="require"))
                self.assert_well(diagnosis, *ENCRYPTED)
                self.assertRegex(self.text(diagnosis, "tls"), "not verified, as the URL asks, issued by Corp CA for")
                diagnosis = self.diagnose(server.url())
                self.assert_well(diagnosis, *PLAIN)
                self.assert_texts(diagnosis, speak="PostgreSQL, offers TLS", authenticate="accepted, a session is open")

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
