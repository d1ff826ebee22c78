"""A WebSocket after its handshake, step by step on a scripted clock."""

import math
import struct
import unittest

from wsproto.connection import Connection, ConnectionType

from app.connections.ending import Ended
from app.connections.intake import Limits
from app.connections.websocket import WebSocket
from app.net.reason import Reason
from tests.fakes import LogLines, ScriptedClock
from tests.peers.websocket import BINARY, CLOSE, PING, PONG, TEXT, frame

CLIENT = Limits(frames=20, size=1000, message=100, kept=10, patient=False)
UPSTREAM = Limits(frames=2, size=1000, message=math.inf, kept=0, patient=True)


class FakeWire:
    """Returns what is in `incoming`, one entry at each recv; None where it is empty. A wait advances the clock.

    `sent` holds frames as (opcode, payload); `error` is raised by each send from then on.
    """

    def __init__(self, clock):
        self.clock = clock
        self.incoming = []
        self.sent = []
        self.waits = []
        self.error = None
        self.wakes = self.drains = self.closes = 0

    def recv(self):
        entry = self.incoming.pop(0) if self.incoming else None
        if isinstance(entry, Exception):
            raise entry
        return entry

    def wait(self, seconds, readable):
        self.waits.append((seconds, readable))
        self.clock.advance(seconds)

    def send(self, data, patience):
        if self.error is not None:
            raise self.error
        self.sent.append((data[0] & 15, bytes(data[2:])))
        self.patience = patience

    def wake(self):
        self.wakes += 1

    def cut(self):
        pass

    def drain(self, seconds):
        self.drains += 1

    def close(self):
        self.closes += 1


class WebSocketCase(unittest.TestCase):
    limits = CLIENT

    def setUp(self):
        self.clock = ScriptedClock(100.0)
        self.wire = FakeWire(self.clock)
        self.websocket = WebSocket(self.wire, Connection(ConnectionType.SERVER), self.limits, 5.0, self.clock)
        self.addCleanup(setattr, self, "websocket", None)

    def receive(self, *data):
        """The messages in `data`, and then all that happens until the next wait for more."""
        self.wire.incoming += data
        messages, self.wire.waits = [], []
        while not any(readable for _, readable in self.wire.waits):
            messages.append(self.websocket.receive())
        return [message for message in messages if message is not None]

    def run_until_end(self, *data):
        """How it ended for a handler that reads."""
        self.wire.incoming += data
        end = self.websocket.run("client a", self.websocket.receive_all)
        self.assertEqual(self.wire.closes, 1)
        return end.code, end.reason

    def close_frame(self):
        opcode, payload = self.wire.sent[-1]
        self.assertEqual(opcode, CLOSE)
        return struct.unpack("!H", payload[:2])[0]


class MessageTest(WebSocketCase):
    def test_short_texts_are_received_and_everything_else_is_discarded(self):
        data = frame(TEXT, b"one") + frame(BINARY, b"x") + frame(TEXT, b"x" * 11) + frame(TEXT, b"two")
        self.assertEqual(self.receive(data), ["one", "two"])

    def test_a_message_in_pieces_comes_whole(self):
        data = frame(TEXT, b"he", fin=False) + frame(0, b"l", fin=False) + frame(PING) + frame(0, b"lo")
        pieces = [bytes([byte]) for byte in data]
        self.assertEqual(self.receive(*pieces), ["hello"])

    def test_what_came_with_the_handshake_is_received_first(self):
        protocol = Connection(ConnectionType.SERVER, trailing_data=frame(TEXT, b"early"))
        self.websocket = WebSocket(self.wire, protocol, CLIENT, 5.0, self.clock)
        self.assertEqual(self.receive(frame(TEXT, b"late")), ["early", "late"])

    def test_a_sent_text_is_one_frame_and_waits_a_ping_interval_for_the_peer(self):
        self.websocket.send("hello")
        self.assertEqual((self.wire.sent, self.wire.patience), ([(TEXT, b"hello")], 5.0))


class PingTest(WebSocketCase):
    def test_a_ping_is_answered_with_its_payload(self):
        self.receive(frame(PING, b"1") + frame(PING, b"2"))
        self.assertEqual(self.wire.sent, [(PONG, b"1"), (PONG, b"2")])

    def test_a_silent_peer_is_pinged_every_interval_while_it_answers(self):
        self.receive()
        for number in range(1, 4):
            self.websocket.receive()
            self.assertEqual((self.clock.now, self.wire.sent), (100 + 5 * number, [(PING, b"")] * number))
            self.receive(frame(PONG))

    def test_a_peer_that_does_not_answer_a_ping_is_dead_at_the_next(self):
        self.assertEqual(self.run_until_end(), (1008, Reason.TIMEOUT))
        self.assertEqual(self.clock.now, 110.0)
        self.assertEqual(self.close_frame(), 1008)

    def test_a_busy_peer_whose_pong_stands_behind_its_messages_is_not_dead(self):
        self.receive()
        self.websocket.receive()
        self.clock.advance(60)
        self.receive(*[frame(TEXT, b"x" * 50)] * 5, frame(PONG))
        self.assertEqual(self.wire.sent, [(PING, b"")] * 2)


class EndTest(WebSocketCase):
    def test_a_breach_ends_with_its_code(self):
        for code, data in [
            (1009, frame(TEXT, b"x" * 101)),
            (1009, frame(TEXT, b"x" * 60, fin=False) + frame(0, b"x" * 41)),
            (1007, frame(TEXT, b"\xff\xfe")),
            (1007, frame(TEXT, b"\xc3", fin=False) + frame(0, b"(")),
            (1002, frame(TEXT, b"compressed", rsv1=True)),
            (1002, frame(3, b"x")),
            (1002, frame(0, b"x")),
            (1002, b"\x81\x01x"),
            (1002, frame(PING, fin=False)),
            (1002, frame(CLOSE, b"x")),
            (1008, frame(PING) * 21),
            (1008, frame(PONG) * 21),
            (1008, frame(TEXT, b"x") * 21),
            (1008, frame(TEXT, b"", fin=False) + frame(0, fin=False) * 20),
            (1008, frame(BINARY, b"x" * 1001)),
        ]:
            with self.subTest(code, begins=data[:4]):
                self.setUp()
                self.assertEqual(self.run_until_end(data), (code, Reason.PROTOCOL))
                self.assertEqual(self.close_frame(), code)
                self.assertEqual(self.wire.drains, 1)

    def test_a_peers_close_frame_is_answered_and_its_words_are_quoted(self):
        self.wire.incoming = [frame(CLOSE, struct.pack("!H", 4001) + b"enough\n") + frame(TEXT, b"late")]
        end = self.websocket.run("client a", self.websocket.receive_all)
        self.assertEqual(str(end), r"4001 'enough\n'")
        self.assertEqual(end.reason, Reason.CLOSED)
        self.assertEqual(self.wire.sent, [(CLOSE, struct.pack("!H", 4001) + b"enough\n")])

    def test_a_close_frame_without_a_code_is_answered_alike(self):
        self.assertEqual(self.run_until_end(frame(CLOSE)), (1005, Reason.CLOSED))
        self.assertEqual(self.wire.sent, [(CLOSE, b"")])

    def test_a_broken_connection_ends_without_a_word(self):
        for entry, reason, text in [
            (b"", Reason.CLOSED, "1006 'closed without a close frame'"),
            (ConnectionResetError(104, "Connection reset by peer"), Reason.CLOSED, "1006 'connection reset by peer'"),
            (OSError(), Reason.ERROR, "1006 'oserror'"),
        ]:
            with self.subTest(text):
                self.setUp()
                self.wire.incoming = [entry]
                end = self.websocket.run("client a", self.websocket.receive_all)
                self.assertEqual((str(end), end.reason), (text, reason))
                self.assertEqual((self.wire.sent, self.wire.closes), ([], 1))

    def test_a_peer_that_does_not_read_ends_it(self):
        self.wire.error = TimeoutError("the peer does not read")
        end = self.websocket.run("client a", lambda: self.websocket.send("x"))
        self.assertEqual((str(end), end.reason), ("1006 'the peer does not read'", Reason.TIMEOUT))

    def test_a_peer_that_takes_no_last_word_is_not_waited_for(self):
        self.wire.error = TimeoutError("the peer does not read")
        self.websocket.close(1001)
        self.assertEqual(self.run_until_end(), (1001, Reason.CLOSED))
        self.assertEqual(self.wire.drains, 0)

    def test_closing_wakes_the_owner_and_ends_its_next_step(self):
        self.websocket.close(1001, "leaving")
        self.assertEqual(self.wire.wakes, 1)
        for step in (self.websocket.receive, lambda: self.websocket.send("x")):
            with self.assertRaises(Ended):
                step()
        self.assertEqual(self.run_until_end(frame(TEXT, b"x")), (1001, Reason.CLOSED))
        self.assertEqual(self.wire.sent, [(CLOSE, b"\x03\xe9leaving")])
        self.assertEqual(self.wire.patience, 0)

    def test_a_handler_that_returns_ends_it_with_1000(self):
        self.assertEqual(self.websocket.run("client a", lambda: None).code, 1000)
        self.assertEqual(self.close_frame(), 1000)

    def test_a_handler_that_raises_is_logged_and_ends_it_with_1011(self):
        for error in (RuntimeError("defect"), SystemExit(3), KeyboardInterrupt(), StopIteration()):

            def handler(error=error):
                raise error

            with self.subTest(error):
                self.setUp()
                log = LogLines(self, "app.connections")
                self.assertEqual(self.websocket.run("client a", handler).code, 1011)
                self.assertEqual(self.close_frame(), 1011)
                self.assertEqual(log.lines, ["ERROR client a: its handler failed"])

    def test_a_handler_that_goes_on_after_the_end_gets_no_frame_out(self):
        def handler():
            with self.assertRaises(Ended):
                self.websocket.receive_all()
            self.websocket.send("late")

        LogLines(self, "app.connections")
        self.wire.incoming = [frame(CLOSE)]
        self.assertEqual(self.websocket.run("client a", handler).code, 1011)
        self.assertEqual([opcode for opcode, _ in self.wire.sent], [CLOSE])


class PatienceTest(WebSocketCase):
    limits = UPSTREAM

    def test_a_peer_that_sends_too_much_is_read_more_slowly(self):
        self.receive(frame(TEXT, b"x") * 5)
        self.assertEqual(self.wire.waits, [(1.0, False), (1.0, False), (3.0, True)])
        self.assertEqual(self.wire.sent, [])

    def test_it_is_pinged_while_it_is_not_read_and_not_judged(self):
        self.receive(frame(TEXT, b"x") * 100 + frame(PONG))
        self.assertGreater(self.clock.now, 125)
        self.assertEqual({opcode for opcode, _ in self.wire.sent}, {PING})
        self.assertEqual(len(self.wire.sent), 10)

    def test_a_message_of_any_size_is_read(self):
        data = frame(BINARY, bytes(5000))
        self.assertEqual(self.receive(*[data[at : at + 500] for at in range(0, len(data), 500)]), [])
        self.websocket.close(1001)
        self.assertEqual(self.run_until_end(), (1001, Reason.CLOSED))
