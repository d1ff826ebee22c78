"""A hold on a socket, by which another thread ends what its owner does with it."""

import socket
import threading
import unittest
import unittest.mock

from app.health.tether import Tether, connect


class TetherTest(unittest.TestCase):
    def setUp(self):
        self.tether = Tether()
        self.ours, self.peer = socket.socketpair()
        self.addCleanup(self.tether.release)
        self.addCleanup(self.ours.close)
        self.addCleanup(self.peer.close)

    def test_cut_ends_a_read_that_would_wait_for_ever(self):
        self.tether.hold(self.ours)
        read = []
        reader = threading.Thread(target=lambda: read.append(self.ours.recv(1)))
        reader.start()
        self.tether.cut()
        reader.join(5)
        self.assertEqual(read, [b""])

    def test_it_cuts_the_socket_it_held_whatever_became_of_the_number(self):
        self.tether.hold(self.ours)
        number = self.ours.detach()
        moved = socket.socket(fileno=number)
        self.addCleanup(moved.close)
        self.tether.cut()
        self.assertEqual(moved.recv(1), b"")

    def test_a_socket_held_later_replaces_the_former_and_is_counted(self):
        other, its_peer = socket.socketpair()
        self.addCleanup(other.close)
        self.addCleanup(its_peer.close)
        self.tether.hold(self.ours)
        self.tether.hold(other)
        self.tether.cut()
        self.assertEqual(self.tether.dials, 2)
        self.assertEqual(other.recv(1), b"")
        self.ours.send(b"x")
        self.assertEqual(self.peer.recv(1), b"x")

    def test_cutting_nothing_or_twice_does_no_harm(self):
        self.tether.cut()
        self.tether.hold(self.ours)
        self.peer.close()
        self.tether.cut()
        self.tether.cut()


class ConnectTest(unittest.TestCase):
    def test_it_connects(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            with connect("127.0.0.1", server.getsockname()[1], 5) as sock:
                self.assertEqual(sock.getpeername(), server.getsockname())

    def test_a_port_nobody_listens_on_refuses(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        with self.assertRaises(ConnectionRefusedError):
            connect("127.0.0.1", port, 5)

    def test_every_address_of_a_name_is_tried(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            real = socket.getaddrinfo

            def two_addresses(host, number, **options):
                return real("127.0.0.2", number, **options) + real("127.0.0.1", number, **options)

            with unittest.mock.patch("socket.getaddrinfo", two_addresses):
                with connect("several.invalid", port, 5) as sock:
                    self.assertEqual(sock.getpeername(), ("127.0.0.1", port))

    def test_all_addresses_share_one_time(self):
        times = iter([0.0, 9.0])
        with self.assertRaises(TimeoutError):
            connect("127.0.0.1", 1, 5, clock=lambda: next(times))
