"""What a look at a TLS peer finds that is only listened to."""

import errno
import socket
import ssl
import tempfile
import unittest
import unittest.mock

from app.net.connect import wrap
from app.net.deadline import Deadline
from app.net.reason import NO_DESCRIPTOR, FileUnreadable, Reason, cause_of
from app.net.tls import client_context, refuses_us
from tests.doctor.broken import encrypted
from tests.fakes import DEADLINE
from tests.peers.certificates import issued


class ClientContextTest(unittest.TestCase):
    def test_a_file_of_authorities_that_is_missing_a_folder_or_not_pem_is_not_taken_for_a_missing_socket(self):
        for path in ("/nonexistent.pem", "/", __file__):
            with self.subTest(path), self.assertRaises(FileUnreadable) as raised:
                client_context(path)
            self.assertEqual(cause_of(raised.exception), (Reason.TLS, "the file of authorities cannot be read"))

    def test_a_name_of_a_certificate_counts_as_a_subject_alternative_name_alone(self):
        _, bundle = issued(self.enterContext(tempfile.TemporaryDirectory()))
        self.assertFalse(client_context(bundle).hostname_checks_common_name)

    def test_a_lack_of_descriptors_is_not_blamed_on_the_file(self):
        lack = OSError(errno.EMFILE, "Too many open files")
        with unittest.mock.patch("ssl.create_default_context", side_effect=lack):
            with self.assertRaises(OSError) as raised:
                client_context("/bundle.pem")
        self.assertEqual(cause_of(raised.exception), NO_DESCRIPTOR)


class RefusesUsTest(unittest.TestCase):
    def setUp(self):
        self.context, self.bundle = issued(self.enterContext(tempfile.TemporaryDirectory()))

    def refuses_us(self, port, patience, deadline=None):
        def opened(deadline):
            sock = socket.create_connection(("127.0.0.1", port), deadline.remaining())
            return wrap(sock, client_context(self.bundle), "127.0.0.1", deadline)

        return refuses_us(opened, deadline or Deadline(DEADLINE), patience)

    @unittest.mock.patch.multiple("app.net.tls", LOOK_SECONDS=DEADLINE, ALERT_SECONDS=DEADLINE)
    def test_a_peer_that_requires_a_certificate_of_ours_is_noticed_without_a_word_from_us(self):
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.load_verify_locations(self.bundle)
        with encrypted(self.context) as port:
            self.assertTrue(self.refuses_us(port, DEADLINE))

    def test_a_peer_that_requires_none_does_not_refuse_us(self):
        with encrypted(self.context) as port:
            self.assertFalse(self.refuses_us(port, 0.3))

    def test_a_peer_that_is_silent_leaves_time_to_report_what_is_known(self):
        deadline = Deadline(2.0)
        with encrypted(self.context) as port:
            self.assertFalse(self.refuses_us(port, 60.0, deadline))
        self.assertFalse(deadline.passed())


if __name__ == "__main__":
    unittest.main()
