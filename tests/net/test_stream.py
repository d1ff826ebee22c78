"""Lines and bytes of a plain protocol, by a deadline."""

import socket
import unittest

from app.net.deadline import Deadline
from app.net.stream import Stream
from tests.fakes import DEADLINE


class StreamTest(unittest.TestCase):
    def setUp(self):
        ours, self.theirs = socket.socketpair()
        self.stream = Stream(ours)
        self.addCleanup(self.stream.close)
        self.addCleanup(self.theirs.close)

    def test_lines_and_bytes_may_alternate_however_they_arrive(self):
        self.theirs.sendall(b"+OK\r\n12345")
        deadline = Deadline(DEADLINE)
        self.assertEqual(self.stream.read_line(100, deadline), b"+OK")
        self.assertEqual(self.stream.read(3, deadline), b"123")
        self.theirs.sendall(b"6\r\n")
        self.assertEqual(self.stream.read_line(100, deadline), b"456")

    def test_a_line_that_is_too_long_is_refused(self):
        self.theirs.sendall(b"x" * 101)
        with self.assertRaises(ValueError):
            self.stream.read_line(100, Deadline(DEADLINE))

    def test_a_peer_that_ends_early_and_one_that_says_nothing_are_errors(self):
        self.theirs.sendall(b"12")
        with self.assertRaises(TimeoutError):
            self.stream.read(3, Deadline(0.05))
        self.theirs.close()
        with self.assertRaises(ConnectionResetError):
            self.stream.read(3, Deadline(DEADLINE))


if __name__ == "__main__":
    unittest.main()
