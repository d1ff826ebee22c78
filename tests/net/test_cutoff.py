"""A hold on a socket, by which another thread ends what its owner does with it."""

import socket
import threading
import unittest

from app.net.cutoff import Cutoff


class CutoffTest(unittest.TestCase):
    def setUp(self):
        self.cutoff = Cutoff()
        self.ours, self.peer = socket.socketpair()
        self.addCleanup(self.cutoff.release)
        self.addCleanup(self.ours.close)
        self.addCleanup(self.peer.close)

    def test_cut_ends_a_read_that_would_wait_for_ever(self):
        self.cutoff.hold(self.ours)
        read = []
        reader = threading.Thread(target=lambda: read.append(self.ours.recv(1)))
        reader.start()
        self.cutoff.cut()
        reader.join(5)
        self.assertEqual(read, [b""])

    def test_it_cuts_the_socket_it_held_whatever_became_of_the_number(self):
        self.cutoff.hold(self.ours)
        number = self.ours.detach()
        moved = socket.socket(fileno=number)
        self.addCleanup(moved.close)
        self.cutoff.cut()
        self.assertEqual(moved.recv(1), b"")

    def test_a_socket_held_later_replaces_the_former_and_is_counted(self):
        other, its_peer = socket.socketpair()
        self.addCleanup(other.close)
        self.addCleanup(its_peer.close)
        self.cutoff.hold(self.ours)
        self.cutoff.hold(other)
        self.cutoff.cut()
        self.assertEqual(self.cutoff.dials, 2)
        self.assertEqual(other.recv(1), b"")
        self.ours.send(b"x")
        self.assertEqual(self.peer.recv(1), b"x")

    def test_cutting_nothing_or_twice_does_no_harm(self):
        self.cutoff.cut()
        self.cutoff.hold(self.ours)
        self.peer.close()
        self.cutoff.cut()
        self.cutoff.cut()


if __name__ == "__main__":
    unittest.main()
