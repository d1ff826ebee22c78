import threading
import unittest

from simple_websocket import ConnectionClosed
from wsproto.connection import Connection, ConnectionType
from wsproto.events import Ping

from app.connections.sender import Sender, cause
from tests.connections.fakes import DEADLINE


class FakeWire:
    """Keeps what is sent with its stall; waits for `release` first, or raises `error`."""

    def __init__(self):
        self.sent = []
        self.error = None
        self.entered = threading.Event()
        self.release = threading.Event()
        self.release.set()
        self.shutdowns = 0

    def send(self, data, stall=None):
        self.entered.set()
        self.release.wait(DEADLINE)
        if self.error is not None:
            raise self.error
        self.sent.append((data[:1], stall))

    def shutdown(self):
        self.shutdowns += 1


class BareSender(Sender):
    """A Sender that shook no hands and has no reader."""

    def __init__(self):
        self.prepare_sending()
        self.connected = True
        self.close_reason, self.close_message = 1005, None
        self.event = threading.Event()
        self.sock = FakeWire()
        self.ws = Connection(ConnectionType.SERVER)


TEXT, BINARY, CLOSE, PING = b"\x81", b"\x82", b"\x88", b"\x89"


class TestSender(unittest.TestCase):
    def setUp(self):
        self.sender = BareSender()
        self.wire = self.sender.sock

    def in_the_middle_of_a_message(self):
        """A thread that is sending, and waits for the wire."""
        self.wire.release.clear()
        thread = threading.Thread(target=self.sender.send, args=("message",))
        thread.start()
        self.addCleanup(thread.join, DEADLINE)
        self.addCleanup(self.wire.release.set)
        self.assertTrue(self.wire.entered.wait(DEADLINE))
        return thread

    def test_text_and_bytes_are_messages_of_their_kind(self):
        self.sender.send("a")
        self.sender.send(b"a")
        self.assertEqual(self.wire.sent, [(TEXT, None), (BINARY, None)])

    def test_closing_does_not_wait_for_a_message_and_its_sender_takes_the_frame_along(self):
        thread = self.in_the_middle_of_a_message()
        self.assertTrue(self.sender.close(1001, "leaving"))
        self.assertEqual(self.wire.sent, [])
        self.assertTrue(self.sender.event.is_set())
        self.wire.release.set()
        thread.join(DEADLINE)
        self.assertEqual(self.wire.sent, [(TEXT, None), (CLOSE, 0)])
        self.assertEqual(self.sender.ending(), "1001 'leaving'")

    def test_of_the_control_frames_that_wait_the_last_ones_are_kept(self):
        thread = self.in_the_middle_of_a_message()
        for _ in range(100):
            self.sender._say(Ping())
        self.wire.release.set()
        thread.join(DEADLINE)
        self.assertEqual(self.wire.sent, [(TEXT, None)] + [(PING, None)] * 16)

    def test_nothing_follows_a_close_frame(self):
        self.sender.close()
        self.sender._say(Ping())
        with self.assertRaises(ConnectionClosed) as raised:
            self.sender.send("late")
        self.assertEqual(int(raised.exception.reason), 1000)
        self.assertEqual(self.wire.sent, [(CLOSE, 0)])

    def test_the_first_to_end_it_says_why(self):
        self.assertTrue(self.sender.close(4000, "first"))
        self.assertFalse(self.sender.close(4001, "second"))
        self.sender.abort()
        self.assertEqual(self.sender.ending(), "4000 'first'")

    def test_a_send_that_fails_ends_it(self):
        self.wire.error = TimeoutError("the peer takes nothing")
        with self.assertRaises(ConnectionClosed):
            self.sender.send("x")
        self.assertEqual((self.sender.connected, self.wire.shutdowns), (False, 1))
        self.assertEqual(self.sender.ending(), "1006 'the peer takes nothing'")

    def test_so_does_a_control_frame_that_fails_without_a_word_to_who_sent_it(self):
        self.wire.error = BrokenPipeError(32, "Broken pipe")
        self.sender._say(Ping())
        self.assertEqual((self.sender.connected, self.wire.shutdowns), (False, 1))
        self.assertEqual(self.sender.ending(), "1006 'broken pipe'")

    def test_a_close_frame_that_cannot_be_sent_cuts_the_connection(self):
        self.wire.error = TimeoutError("the peer takes nothing")
        self.assertTrue(self.sender.close(1001))
        self.assertEqual(self.wire.shutdowns, 1)


class TestCause(unittest.TestCase):
    def test_it_is_the_systems_words_or_the_exceptions(self):
        for error, words in [
            (ConnectionResetError(104, "Connection reset by peer"), "connection reset by peer"),
            (TimeoutError("the peer takes nothing"), "the peer takes nothing"),
            (OSError(), "OSError"),
        ]:
            with self.subTest(words):
                self.assertEqual(cause(error), words)


if __name__ == "__main__":
    unittest.main()
