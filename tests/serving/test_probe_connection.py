import socket
import unittest

from app.serving.probe_connection import ClientSocket
from tests.fakes import DEADLINE
from tests.peers.service import read_all


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
