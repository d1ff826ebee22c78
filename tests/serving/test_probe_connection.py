import socket
import unittest
from unittest import mock

from gunicorn.config import Config

from app.serving.probe_connection import ClientSocket, ProbeConnection
from tests.fakes import DEADLINE
from tests.peers.service import eventually, read_all


class TestClientSocket(unittest.TestCase):
    """A socket on which nothing waits for the client."""

    def setUp(self):
        ours, self.theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.theirs.settimeout(DEADLINE)
        self.sock = self.enterContext(ClientSocket(ours))
        self.enterContext(self.theirs)

    def test_what_is_written_arrives_whole_and_in_order(self):
        self.sock.sendall(b"head ")
        self.assertEqual(self.sock.send(b"body"), 4)
        self.assertTrue(self.sock.flush())
        self.assertEqual((self.theirs.recv(99), self.sock.unsent), (b"head body", b""))

    def test_what_the_client_does_not_read_is_kept_without_waiting(self):
        answer = bytes(range(256)) * 4096
        self.sock.sendall(answer)
        self.assertFalse(self.sock.flush())
        received = b""
        while not self.sock.flush():
            received += self.theirs.recv(len(answer))
        self.sock.shutdown(socket.SHUT_WR)
        self.assertEqual(received + read_all(self.theirs), answer)

    def test_a_duplicate_is_an_ordinary_socket_behind_what_was_written(self):
        self.sock.sendall(b"first ")
        with self.sock.dup() as duplicate:
            duplicate.sendall(b"second")
        self.assertEqual(self.theirs.recv(99), b"first second")

    def test_there_is_no_duplicate_while_something_is_unsent(self):
        self.sock.sendall(bytes(1_000_000))
        with self.assertRaises(OSError):
            self.sock.dup()

    def test_a_client_that_has_gone_raises_an_os_error(self):
        self.theirs.close()
        self.sock.sendall(b"answer")
        with self.assertRaises(OSError):
            self.sock.flush()


class TestProbeConnection(unittest.TestCase):
    """What is known of a client without reading what it sends."""

    def setUp(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.theirs = self.enterContext(socket.create_connection(listener.getsockname()))
            accepted, peer = listener.accept()
        self.conn = ProbeConnection(Config(), accepted, peer, listener)
        self.addCleanup(self.conn.close)

    def test_its_address_has_no_port(self):
        self.assertEqual(self.conn.address, "127.0.0.1")

    def test_a_client_that_waits_or_has_sent_more_has_not_ended(self):
        self.assertFalse(self.conn.ended())
        self.theirs.sendall(b"more")
        self.theirs.shutdown(socket.SHUT_WR)
        self.conn.sock.recv(1, socket.MSG_PEEK)  # it has arrived
        self.assertFalse(self.conn.ended())
        self.assertEqual(self.conn.read(), b"more")

    def test_a_client_that_has_ended_its_side_has_ended_for_so_long(self):
        self.assertTrue(0 <= self.conn.silent_for() < DEADLINE)
        self.theirs.shutdown(socket.SHUT_WR)
        eventually(self.conn.ended)
        eventually(lambda: self.conn.silent_for() > 0.05)

    def test_a_client_that_has_reset_the_connection_has_ended(self):
        self.theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.theirs.close()
        eventually(self.conn.ended)

    def test_its_silence_is_not_known_where_the_system_does_not_report_it(self):
        with mock.patch.object(socket, "TCP_INFO", 9999):
            self.assertIsNone(self.conn.silent_for())
