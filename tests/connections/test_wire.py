import socket
import ssl
import threading
import time
import unittest

from app.connections.wire import Wire, tune
from tests.connections.fakes import DEADLINE
from tests.connections.peers import Certificate


class WireCase(unittest.TestCase):
    def pair(self, stall=DEADLINE):
        """A wire and the other end of its socket."""
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        wire = Wire(ours, stall)
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


class TestSend(WireCase):
    def test_all_is_sent_also_to_a_peer_that_takes_little_at_a_time(self):
        wire, theirs = self.pair()
        data = bytes(range(256)) * 20_000
        _, thread = self.in_thread(wire.send, data)
        received = bytearray()
        while len(received) < len(data):
            received += theirs.recv(10_000)
        thread.join(DEADLINE)
        self.assertEqual(received, data)

    def test_it_gives_up_on_a_peer_that_takes_nothing(self):
        wire, _ = self.pair(stall=0.1)
        begin = time.monotonic()
        with self.assertRaises(TimeoutError):
            wire.send(bytes(10_000_000))
        self.assertLess(time.monotonic() - begin, 1)

    def test_shutting_down_wakes_a_sender(self):
        wire, _ = self.pair()
        outcome, thread = self.in_thread(wire.send, bytes(10_000_000))
        wire.shutdown()
        thread.join(DEADLINE)
        self.assertIsInstance(outcome[0], OSError)

    def test_after_closing_it_is_an_error(self):
        wire, _ = self.pair()
        wire.close()
        wire.close()
        with self.assertRaises(OSError):
            wire.send(b"x")


class TestReceive(WireCase):
    def test_what_is_there_the_end_and_nothing_are_told_apart(self):
        wire, theirs = self.pair()
        self.assertIsNone(wire.recv(100, 0))
        self.assertIsNone(wire.recv(100, 0.01))
        theirs.send(b"abc")
        self.assertEqual(wire.recv(2, 1), b"ab")
        self.assertEqual(wire.recv(2, 0), b"c")
        theirs.shutdown(socket.SHUT_WR)
        self.assertEqual(wire.recv(2, 1), b"")

    def test_shutting_down_wakes_a_reader(self):
        wire, _ = self.pair()
        outcome, thread = self.in_thread(wire.recv, 100, DEADLINE)
        wire.shutdown()
        thread.join(DEADLINE)
        self.assertEqual(outcome, [b""])

    def test_the_original_of_a_duplicate_stays_blocking(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            wire = Wire(ours.dup(), 1)
            self.assertIsNone(wire.recv(10, 0))
            self.assertTrue(ours.getblocking())
            threading.Timer(0.05, theirs.send, (b"x",)).start()
            self.assertEqual(ours.recv(1), b"x")
            wire.close()

    def test_draining_ends_with_the_peer_or_the_time(self):
        wire, theirs = self.pair()
        theirs.send(b"x" * 10)
        begin = time.monotonic()
        wire.drain(0.1)
        self.assertTrue(0.05 < time.monotonic() - begin < 1)
        self.assertEqual(theirs.recv(1), b"")
        theirs.close()
        wire.drain(DEADLINE)
        self.assertLess(time.monotonic() - begin, 2)


class TestTLS(WireCase):
    @classmethod
    def setUpClass(cls):
        cls.certificate = Certificate()
        cls.addClassCleanup(cls.certificate.close)

    def test_both_directions_at_once_are_whole_and_in_order(self):
        ours, theirs = socket.socketpair()
        client = ssl.create_default_context(cafile=self.certificate.path)
        server, thread = self.in_thread(lambda: self.certificate.server_context.wrap_socket(theirs, server_side=True))
        left = Wire(client.wrap_socket(ours, server_hostname="localhost"), DEADLINE)
        thread.join(DEADLINE)
        right = Wire(server[0], DEADLINE)
        self.addCleanup(right.close)
        self.addCleanup(left.close)
        data = bytes(range(256)) * 8_000

        def read(wire):
            received = bytearray()
            while len(received) < len(data):
                received += wire.recv(65536, DEADLINE) or b""
            return bytes(received)

        work = [
            self.in_thread(left.send, data),
            self.in_thread(right.send, data),
            self.in_thread(read, left),
            self.in_thread(read, right),
        ]
        for _, thread in work:
            thread.join(DEADLINE)
        self.assertEqual([outcome[0] for outcome, _ in work], [None, None, data, data])
        self.assertIsNone(left.recv(10, 0))
        right.shutdown()
        self.assertEqual(left.recv(10, DEADLINE), b"")


class TestTune(unittest.TestCase):
    def test_the_kernel_gives_up_after_two_ping_intervals(self):
        with socket.socket() as sock:
            tune(sock, 0.25)
            self.assertEqual(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), 500)
            self.assertTrue(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def test_what_is_not_tcp_is_left_alone(self):
        with socket.socket(socket.AF_UNIX) as sock:
            tune(sock, 1)


if __name__ == "__main__":
    unittest.main()
