"""What a look at a TLS peer finds that is only listened to."""

import socket
import ssl
import tempfile
import unittest

from app.net.connect import wrap
from app.net.deadline import Deadline
from app.net.tls import client_context, refuses_us
from tests.doctor.broken import encrypted
from tests.fakes import DEADLINE
from tests.peers.certificates import issued


class RefusesUsTest(unittest.TestCase):
    def setUp(self):
        self.context, self.bundle = issued(self.enterContext(tempfile.TemporaryDirectory()))

    def refuses_us(self, port, patience):
        def opened(deadline):
            sock = socket.create_connection(("127.0.0.1", port), deadline.remaining())
            return wrap(sock, client_context(self.bundle), "127.0.0.1", deadline)

        return refuses_us(opened, Deadline(DEADLINE), patience)

    def test_a_peer_that_requires_a_certificate_of_ours_is_noticed_without_a_word_from_us(self):
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.load_verify_locations(self.bundle)
        with encrypted(self.context) as port:
            self.assertTrue(self.refuses_us(port, DEADLINE))

    def test_a_peer_that_requires_none_does_not_refuse_us(self):
        with encrypted(self.context) as port:
            self.assertFalse(self.refuses_us(port, 0.3))


if __name__ == "__main__":
    unittest.main()
