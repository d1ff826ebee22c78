"""The socket below a WebSocket."""

import socket
import ssl
import tempfile
import threading
import unittest
from unittest import mock

from app.connections.wire import Wire, tune
from tests.fakes import DEADLINE
from tests.peers.certificates import server_context


class WireCase(unittest.TestCase):
    def pair(self):
        """A wire and the other end of its socket."""
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        theirs.settimeout(DEADLINE)
        wire = Wire(ours)
        self.addCleanup(wire.close)
        return wire, theirs

    def in_thread(self, function, *arguments):
        """Run it in a thread; the list that its outcome or exception is put in, and the thread."""
        outcome = []

        def run():
            try:
                outcome.append(function(*arguments))
            except Exception as error:
                outcome.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join, DEADLINE)
        return outcome, thread


class SendTest(WireCase):
    def test_everything_is_sent_to_a_peer_that_reads_little_at_a_time(self):
        wire, theirs = self.pair()
        data = bytes(range(256)) * 20_000
        _, thread = self.in_thread(wire.send, data, DEADLINE)
        received = bytearray()
        while len(received) < len(data):
            received += theirs.recv(10_000)
        thread.join(DEADLINE)
        self.assertEqual(received, data)

    def test_a_peer_that_reads_nothing_is_given_up(self):
        wire, _ = self.pair()
        with self.assertRaisesRegex(TimeoutError, "does not read"):
            wire.send(bytes(10_000_000), 0.05)

    def test_cutting_ends_a_send_that_waits(self):
        wire, theirs = self.pair()
        outcome, thread = self.in_thread(wire.send, bytes(10_000_000), DEADLINE)
        theirs.recv(1)
        wire.cut()
        thread.join(DEADLINE)
        self.assertIsInstance(outcome[0], BrokenPipeError)


class ReceiveTest(WireCase):
    def test_data_nothing_and_the_end_are_told_apart(self):
        wire, theirs = self.pair()
        self.assertIsNone(wire.recv())
        theirs.send(b"abc")
        self.assertEqual(wire.recv(), b"abc")
        theirs.shutdown(socket.SHUT_WR)
        self.assertEqual(wire.recv(), b"")

    def test_waiting_ends_with_data_with_a_call_of_wake_or_with_a_cut(self):
        for end in (lambda wire, peer: peer.send(b"x"), lambda wire, _: wire.wake(), lambda wire, _: wire.cut()):
            wire, theirs = self.pair()
            _, thread = self.in_thread(wire.wait, 60)
            end(wire, theirs)
            thread.join(DEADLINE)
            self.assertFalse(thread.is_alive())

    def test_a_wait_that_is_not_for_data_lasts_its_time(self):
        wire, theirs = self.pair()
        theirs.send(b"x")
        outcome, thread = self.in_thread(wire.wait, 60, False)
        thread.join(0.05)
        self.assertEqual(outcome, [])
        wire.wake()
        thread.join(DEADLINE)
        self.assertEqual(outcome, [None])

    def test_wakes_before_a_wait_end_the_next_wait_and_only_that(self):
        wire, _ = self.pair()
        for _ in range(3):
            wire.wake()
        wire.wait(60)
        outcome, thread = self.in_thread(wire.wait, 60)
        thread.join(0.05)
        self.assertEqual(outcome, [])
        wire.wake()

    def test_draining_ends_with_the_peer_or_with_the_time(self):
        wire, theirs = self.pair()
        theirs.send(b"x" * 10)
        wire.drain(0.05)
        self.assertEqual(theirs.recv(1), b"")
        outcome, thread = self.in_thread(wire.drain, 60)
        theirs.close()
        thread.join(DEADLINE)
        self.assertEqual(outcome, [None])


class ClosingTest(WireCase):
    def test_a_closed_wire_can_be_closed_woken_and_cut_again(self):
        wire, theirs = self.pair()
        for _ in range(2):
            wire.close()
            wire.wake()
            wire.cut()
        self.assertEqual(theirs.recv(1), b"")

    def test_without_a_descriptor_for_the_pipe_the_socket_is_closed(self):
        ours, theirs = socket.socketpair()
        with theirs, mock.patch("os.pipe", side_effect=OSError(24, "Too many open files")):
            with self.assertRaises(OSError):
                Wire(ours)
        self.assertEqual(ours.fileno(), -1)


class TlsTest(WireCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        server, self.ca_bundle = server_context(folder)
        ours, theirs = socket.socketpair()
        client = ssl.create_default_context(cafile=self.ca_bundle)
        wrapped, thread = self.in_thread(lambda: server.wrap_socket(theirs, server_side=True))
        self.left = Wire(client.wrap_socket(ours, server_hostname="127.0.0.1"))
        thread.join(DEADLINE)
        self.right = Wire(wrapped[0])
        self.addCleanup(self.right.close)
        self.addCleanup(self.left.close)

    def test_what_is_sent_arrives_whole_and_in_order_both_ways(self):
        data = bytes(range(256)) * 8_000
        for sender, reader in ((self.left, self.right), (self.right, self.left)):
            outcome, thread = self.in_thread(sender.send, data, DEADLINE)
            received = bytearray()
            while len(received) < len(data):
                part = reader.recv()
                if part is None:
                    reader.wait(DEADLINE)
                received += part or b""
            thread.join(DEADLINE)
            self.assertEqual((outcome, received == data), ([None], True))

    def test_after_a_cut_both_sides_have_ended(self):
        self.assertIsNone(self.left.recv())
        self.right.cut()
        for wire in (self.left, self.right):
            wire.wait(DEADLINE)
            self.assertEqual(wire.recv(), b"")


class TuneTest(unittest.TestCase):
    def test_the_kernel_gives_up_after_two_ping_intervals(self):
        with socket.socket() as sock:
            tune(sock, 0.25)
            self.assertEqual(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), 500)
            self.assertTrue(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def test_a_system_without_this_option_of_the_kernel_is_served_too(self):
        with socket.socket() as sock, mock.patch.object(socket, "TCP_USER_TIMEOUT", create=True):
            del socket.TCP_USER_TIMEOUT
            tune(sock, 0.25)
            self.assertTrue(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
