"""TCP connections, and TLS on them, within one deadline."""

import socket
import tempfile
import unittest

from app.net.connect import connect, dial, wrap
from app.net.deadline import Deadline
from app.net.resolver import Resolver
from app.net.tls import client_context
from tests.fakes import DEADLINE, ScriptedClock
from tests.peers.certificates import server_context
from tests.peers.tcp_server import ScriptedServer

OF_NO_FAMILY = (9999, socket.SOCK_STREAM, 6, "", ("::1", 1, 0, 0))  # as one of IPv6 is to a machine without it


def address(host, port):
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))


class ConnectTest(unittest.TestCase):
    def setUp(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        self.port = self.listener.getsockname()[1]

    def test_a_name_is_resolved_and_connected_to(self):
        with dial("127.0.0.1", self.port, Deadline(DEADLINE), Resolver()) as sock:
            self.assertEqual(sock.getpeername(), ("127.0.0.1", self.port))

    def test_every_address_is_tried(self):
        with connect([address("127.0.0.2", self.port), address("127.0.0.1", self.port)], Deadline(DEADLINE)) as sock:
            self.assertEqual(sock.getpeername(), ("127.0.0.1", self.port))

    def test_the_most_telling_error_of_several_addresses_is_raised_in_whatever_order_they_come(self):
        self.listener.close()
        addresses = [address("127.0.0.1", self.port), OF_NO_FAMILY]
        for order in (addresses, addresses[::-1]):
            with self.assertRaises(ConnectionRefusedError):
                connect(order, Deadline(DEADLINE))

    def test_an_address_of_a_family_that_the_machine_lacks_does_not_keep_from_the_next(self):
        with connect([OF_NO_FAMILY, address("127.0.0.1", self.port)], Deadline(DEADLINE)) as sock:
            self.assertEqual(sock.getpeername(), ("127.0.0.1", self.port))

    def test_no_address_is_tried_once_the_time_is_over(self):
        clock = ScriptedClock()
        deadline = Deadline(5, clock)
        clock.advance(5)
        with self.assertRaises(TimeoutError):
            connect([address("127.0.0.1", self.port)], deadline)

    def test_an_address_that_does_not_answer_leaves_time_for_the_next(self):
        full = socket.create_server(("127.0.0.3", 0), backlog=0)
        self.addCleanup(full.close)
        for _ in range(4):  # Linux accepts backlog + 1 connections and drops the rest
            waiting = socket.socket()
            self.addCleanup(waiting.close)
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        with connect([address(*full.getsockname()), address("127.0.0.1", self.port)], Deadline(1.0)) as sock:
            self.assertEqual(sock.getpeername(), ("127.0.0.1", self.port))


class TlsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.server_context, self.bundle = server_context(folder.name)

    def test_a_handshake_that_drips_ends_at_the_deadline(self):
        def drip(server, sock):
            for byte in b"\x16\x03\x03\x40\x00" + bytes(1000):
                sock.sendall(bytes([byte]))
                if server.ended.wait(0.02):
                    return

        with ScriptedServer(drip) as server:
            deadline = Deadline(0.3)
            sock = dial("127.0.0.1", server.port, deadline, Resolver())
            with self.assertRaises(TimeoutError):
                wrap(sock, client_context(self.bundle), "127.0.0.1", deadline)
            self.assertEqual(sock.fileno(), -1)

    def test_the_peer_is_verified_against_the_bundle(self):
        def greet(server, sock):
            with self.server_context.wrap_socket(sock, server_side=True) as tls:
                tls.sendall(b"hello")

        with ScriptedServer(greet) as server:
            deadline = Deadline(DEADLINE)
            with wrap(
                dial("127.0.0.1", server.port, deadline, Resolver()), client_context(self.bundle), "127.0.0.1", deadline
            ) as sock:
                self.assertEqual(sock.recv(5), b"hello")


if __name__ == "__main__":
    unittest.main()
