"""A real PostgreSQL, with TLS: what is found when it is well, and when a session is refused."""

import pathlib
import shutil
import tempfile
import unittest

from tests.doctor.broken import postgresql_sessions
from tests.doctor.diagnosing import ENCRYPTED, PLAIN, SHOWN, DiagnosisTest
from tests.peers.certificates import issued
from tests.peers.postgresql import postgresql


class PostgresqlTest(DiagnosisTest):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(postgresql())
        folder = pathlib.Path(tempfile.mkdtemp(dir=cls.server.data.parent))
        _, cls.bundle = issued(folder)
        cls.own = cls.enterClassContext(tempfile.TemporaryDirectory()) + "/client.pem"
        shutil.copy(folder / "chain.pem", cls.own)
        pathlib.Path(cls.own).chmod(0o600)
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "postgres")
            path.chmod(0o711 if path.is_dir() else 0o600)
        chain = folder / "chain.pem"
        cls.enterClassContext(cls.server.running("ssl=on", f"ssl_cert_file={chain}", f"ssl_key_file={chain}"))

    def test_verification_is_as_strict_as_the_url_asks(self):
        for mode in ("verify-full", "verify-ca"):
            url = self.server.url(sslmode=mode, sslcert=self.own, sslkey=self.own)
            diagnosis = self.diagnose(url, ca_bundle=self.bundle)
            self.assert_well(diagnosis, *ENCRYPTED)
            self.assertRegex(self.text(diagnosis, "tls"), SHOWN)
        diagnosis = self.diagnose(self.server.url(sslmode="require"))
        self.assert_well(diagnosis, *ENCRYPTED)
        self.assertRegex(self.text(diagnosis, "tls"), "not verified, as the URL asks, issued by Corp CA for")

    def test_a_url_that_does_not_ask_for_tls_has_no_such_step(self):
        diagnosis = self.diagnose(self.server.url())
        self.assert_well(diagnosis, *PLAIN)
        self.assertEqual(self.text(diagnosis, "speak"), "PostgreSQL, offers TLS")
        self.assertEqual(self.text(diagnosis, "authenticate"), "accepted, a session is open")

    def test_every_session_that_is_refused_has_its_sentences(self):
        broken = set()
        for case in postgresql_sessions(self.server):
            with self.subTest(case.how):
                self.assert_failed(self.diagnose(case.url, **case.options), case.step, case.advice)
                broken.add(case.step)
        self.assertEqual(broken, {"authenticate", "check"})


if __name__ == "__main__":
    unittest.main()
