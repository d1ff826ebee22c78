"""A TCP server is asked for nothing but a connection."""

import socket
import unittest

from app.checks.check import perform
from app.checks.tcp import TcpCheck
from app.net.reason import Reason
from app.net.resolver import Resolver
from tests.fakes import DEADLINE
from tests.peers.ports import free_port


class TcpTest(unittest.TestCase):
    def test_a_listener_is_connected_and_without_one_it_is_refused(self):
        port = free_port()
        check = TcpCheck("queue", "127.0.0.1", port, Resolver())
        with socket.create_server(("127.0.0.1", port)):
            self.assertIsNone(perform(check, DEADLINE).cause)
        self.assertEqual(perform(check, DEADLINE).cause, (Reason.REFUSED, "connection refused"))

    def test_a_listener_that_accepts_nothing_is_a_timeout(self):
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
            for _ in range(4):
                waiting = socket.socket()
                self.addCleanup(waiting.close)
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            check = TcpCheck("queue", "127.0.0.1", listener.getsockname()[1], Resolver())
            self.assertEqual(perform(check, 0.3).reason, Reason.TIMEOUT)


if __name__ == "__main__":
    unittest.main()
