"""What a second look at a TLS peer finds."""

import socket
import tempfile
import unittest

from app.doctor.handshake import speaks_tls
from app.net.deadline import Deadline
from tests.doctor.broken import answering, encrypted
from tests.fakes import DEADLINE
from tests.peers.certificates import issued


class SecondLookTest(unittest.TestCase):
    def setUp(self):
        self.context, _ = issued(self.enterContext(tempfile.TemporaryDirectory()))

    def test_only_a_peer_that_completes_a_handshake_speaks_tls(self):
        with encrypted(self.context) as one, answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as other:
            for port, speaks in ((one, True), (other, False)):

                def connected(deadline, port=port):
                    return socket.create_connection(("127.0.0.1", port), deadline.remaining())

                self.assertEqual(speaks_tls(connected, "127.0.0.1", Deadline(DEADLINE)), speaks)


if __name__ == "__main__":
    unittest.main()
