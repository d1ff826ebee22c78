"""A MongoDB that authenticates, encrypts and steps down, seen by the check."""

import shutil
import tempfile
import unittest
from pathlib import Path

import pymongo

from app.net.reason import Reason
from tests.checks.mongodb_asking import MongoTest
from tests.fakes import DEADLINE
from tests.peers.certificates import server_context
from tests.peers.secantusdb import SecantusDb, program


def setUpModule():
    program()  # without it, everything here is skipped at once


class AuthenticationTest(MongoTest):
    @classmethod
    def setUpClass(cls):
        cls.server = SecantusDb("--auth", user="someone", password="hunter2")
        cls.addClassCleanup(cls.server.close)

    def uri(self, password):
        return self.server.uri.replace("//", f"//someone:{password}@")

    def admin(self, *command, **options):
        with pymongo.MongoClient(self.uri("hunter2")) as client:
            client.admin.command(*command, **options)

    def test_a_wrong_password_is_auth_until_it_is_corrected(self):
        self.assert_reason(self.asking(self.uri("hunter2")), None)
        asking = self.asking(self.uri("hunter3"))
        self.assertEqual([asking.ask().reason for _ in range(3)], [Reason.AUTH] * 3)
        self.admin("updateUser", "someone", pwd="hunter3")
        self.assertEqual(asking.ask_until(None)[-1], None)
        with pymongo.MongoClient(self.uri("hunter3")) as client:
            client.admin.command("updateUser", "someone", pwd="hunter2")

    def test_a_primary_that_steps_down_is_no_primary_until_it_is_elected_again(self):
        asking = self.asking(self.uri("hunter2"))
        self.assert_reason(asking, None)
        self.admin("replSetStepDown", 2, force=True)
        # It may answer one more ping before its monitor has heard.
        self.assertIn(asking.ask_until(Reason.NO_PRIMARY), ([Reason.NO_PRIMARY], [None, Reason.NO_PRIMARY]))
        self.assertEqual(asking.ask_until(None, limit=4 * DEADLINE)[-1], None)


class TlsTest(MongoTest):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.files = {}
        for name in ("server", "client", "foreign"):
            cls.files[name] = place = Path(folder.name, name)
            place.mkdir()
            server_context(place)
            both = [(place / each).read_bytes() for each in ("certificate.pem", "key.pem")]
            (place / "both.pem").write_bytes(b"".join(both))
        server, client = cls.files["server"], cls.files["client"]
        cls.server = SecantusDb(
            *("--tls-cert-file", server / "certificate.pem"),
            *("--tls-key-file", server / "key.pem"),
            *("--tls-ca-file", client / "certificate.pem"),
            "--tls-require-client-cert",
        )
        cls.addClassCleanup(cls.server.close)

    def uri(self, trusted, shown=None):
        uri = f"{self.server.uri}/?tls=true&tlsCAFile={self.files[trusted] / 'certificate.pem'}"
        return uri if shown is None else f"{uri}&tlsCertificateKeyFile={self.files[shown] / 'both.pem'}"

    def test_certificates_that_each_side_trusts_connect(self):
        self.assert_reason(self.asking(self.uri("server", "client")), None)

    def test_an_untrusted_server_is_tls(self):
        self.assert_reason(self.asking(self.uri("foreign", "client")), Reason.TLS)

    def test_files_that_are_replaced_on_disk_take_effect_at_the_next_check(self):
        with tempfile.TemporaryDirectory() as folder:
            bundle = shutil.copy(self.files["foreign"] / "certificate.pem", folder)
            own = shutil.copy(self.files["foreign"] / "both.pem", folder)
            asking = self.asking(f"{self.server.uri}/?tls=true&tlsCAFile={bundle}&tlsCertificateKeyFile={own}", 5.0)
            self.assert_reason(asking, Reason.TLS, DEADLINE)
            shutil.copy(self.files["server"] / "certificate.pem", bundle)
            self.assert_reason(asking, Reason.TLS, DEADLINE)
            shutil.copy(self.files["client"] / "both.pem", own)
            self.assert_reason(asking, None, DEADLINE)

    def test_a_client_certificate_that_is_refused_or_missing_is_always_tls(self):
        for shown in (None, "foreign"):
            asking = self.asking(self.uri("server", shown), timeout=5.0)
            self.assertEqual([asking.ask().reason for _ in range(5)], [Reason.TLS] * 5, shown)


if __name__ == "__main__":
    unittest.main()
