import base64
import contextlib
import os
import signal
import socket
import struct
import threading
import time
import unittest
import zlib

from simple_websocket import ConnectionClosed
from websockets.exceptions import ConnectionClosed as ClientSawClose
from websockets.sync.client import connect

from app.connections.connection import Direction, State
from app.connections.inbound import Inbound, InboundSocket, refusal, serve
from app.connections.registry import Registry
from tests.connections.fakes import DEADLINE, LogLines
from tests.connections.peers import (
    PARAMETERS,
    descriptors,
    eventually,
    process,
    raw_server,
    read_head,
    threads_named,
    wsgi_like,
)

HANDSHAKE = {
    "REQUEST_METHOD": "GET",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "a",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "keep-alive, Upgrade",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "HTTP_SEC_WEBSOCKET_KEY": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def frame(opcode, payload=b"", fin=True, rsv1=False):
    """A client's frame, masked with zeros."""
    head = bytes([fin << 7 | rsv1 << 6 | opcode])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        head += b"\xfe" + struct.pack("!H", len(payload))
    else:
        head += b"\xff" + struct.pack("!Q", len(payload))
    return head + bytes(4) + payload


class RawClient:
    """Shakes hands, then sends whatever bytes a test wants."""

    def __init__(self, port, headers=""):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        key = base64.b64encode(os.urandom(16)).decode()
        head = (
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{headers}\r\n"
        )
        self.sock.sendall(head.encode())
        self.head = read_head(self.sock)

    def close_code(self):
        """The code of the next close frame; what comes before it is passed over."""
        while True:
            first, length = self._exactly(2)
            if length == 126:
                length = struct.unpack("!H", self._exactly(2))[0]
            elif length == 127:
                length = struct.unpack("!Q", self._exactly(8))[0]
            payload = self._exactly(length)
            if first & 15 == 8:
                return struct.unpack("!H", payload[:2])[0]

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.sock.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data


class InboundCase(unittest.TestCase):
    """A host whose connections are served by `self.handler`, which a test may set."""

    ping_interval = 5.0

    def setUp(self):
        self.log = LogLines(self, "app.connections")
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.registry = Registry(inbound_cap=100)
        self.options = {}
        self.sockets = []
        self.ids = iter(range(1_000_000))
        self.done = threading.Semaphore(0)
        self.handler = self.wait_for_the_end
        self.port, _ = self.stack.enter_context(raw_server(wsgi_like(self.host)))

    def host(self, environ):
        websocket = InboundSocket(environ, ping_interval=self.ping_interval, **self.options)
        self.sockets.append(websocket)
        serve(self.registry, f"client-{next(self.ids)}", websocket, self.handler)
        self.done.release()

    @staticmethod
    def wait_for_the_end(websocket):
        while True:
            websocket.receive()

    def connect(self, **options):
        client = connect(f"ws://127.0.0.1:{self.port}/", **(PARAMETERS | options))
        return self.stack.enter_context(client)

    def raw(self, headers=""):
        client = RawClient(self.port, headers)
        self.stack.callback(client.sock.close)
        return client

    def assert_over(self, within=DEADLINE):
        """The handler has returned, and nothing is left of the connection."""
        self.assertTrue(self.done.acquire(timeout=within))
        self.assertEqual(threads_named("ws-reader"), [])
        self.assertEqual(self.registry.snapshot(), {})


class TestRefusal(unittest.TestCase):
    def test_a_proper_handshake_is_not_refused(self):
        self.assertIsNone(refusal(HANDSHAKE))
        other_case = {"HTTP_UPGRADE": "WebSocket", "HTTP_CONNECTION": "upgrade"}
        self.assertIsNone(refusal(HANDSHAKE | other_case))

    def test_anything_else_gets_426_or_400(self):
        for status, change in [
            (426, {"HTTP_UPGRADE": None}),
            (426, {"HTTP_UPGRADE": "h2c"}),
            (426, {"HTTP_SEC_WEBSOCKET_VERSION": None}),
            (426, {"HTTP_SEC_WEBSOCKET_VERSION": "8"}),
            (400, {"HTTP_CONNECTION": None}),
            (400, {"HTTP_CONNECTION": "close"}),
            (400, {"REQUEST_METHOD": "POST"}),
            (400, {"SERVER_PROTOCOL": "HTTP/1.0"}),
            (400, {"HTTP_HOST": None}),
            (400, {"HTTP_SEC_WEBSOCKET_KEY": None}),
            (400, {"HTTP_SEC_WEBSOCKET_KEY": "short"}),
            (400, {"HTTP_SEC_WEBSOCKET_KEY": "ä" * 24}),
            (400, {"HTTP_SEC_WEBSOCKET_KEY": "AAAA"}),
        ]:
            environ = HANDSHAKE | change
            environ = {key: environ[key] for key in environ if environ[key] is not None}
            with self.subTest(change):
                self.assertEqual(refusal(environ)[0], status)


class TestUpgrade(InboundCase):
    def test_messages_go_both_ways_whole(self):
        def echo(websocket):
            while True:
                websocket.send(websocket.receive())

        self.handler = echo
        client = self.connect()
        for message in ("hello", b"\x00\xff", "ä" * 30_000, b"x" * 65_536, ""):
            client.send(message)
            self.assertEqual(client.recv(DEADLINE), message)
        client.close()
        self.assert_over()
        self.assertRegex(self.log.lines[-1], "^INFO client client-0 closed after .* s: 1000 ''$")

    def test_a_message_in_fragments_comes_whole(self):
        received = []
        self.options["on_message"] = received.append
        client = self.connect()
        client.send(["he", "l", "", "lo"])
        client.send([b"a", b"b"])
        eventually(lambda: len(received) == 2)
        self.assertEqual(received, ["hello", b"ab"])

    def test_compression_is_not_agreed_to(self):
        offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
        client = self.raw(offer)
        self.assertTrue(client.head.startswith(b"HTTP/1.1 101 "))
        self.assertNotIn(b"extensions", client.head.lower())
        self.connect(compression="deflate").close()

    def test_without_a_socket_of_the_server_it_says_so(self):
        with self.assertRaisesRegex(RuntimeError, "socket"):
            InboundSocket(HANDSHAKE, ping_interval=1)

    def test_a_bad_handshake_leaves_no_duplicate_and_the_connection_fit_for_an_answer(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            before = descriptors()
            with self.assertRaises(Exception):  # noqa: B017
                InboundSocket({"gunicorn.socket": ours, "HTTP_HOST": "a"}, ping_interval=1)
            self.assertEqual(descriptors(), before)
            ours.send(b"HTTP/1.1 400 Bad Request\r\n")
            self.assertEqual(theirs.recv(100), b"HTTP/1.1 400 Bad Request\r\n")

    def test_when_there_is_no_thread_to_be_had_no_http_can_follow_the_101(self):
        ours, theirs = socket.socketpair()
        start, threading.Thread.start = threading.Thread.start, self._no_thread
        try:
            with self.assertRaises(RuntimeError):
                InboundSocket(HANDSHAKE | {"gunicorn.socket": ours}, ping_interval=1)
        finally:
            threading.Thread.start = start
        with ours, theirs:
            self.assertTrue(read_head(theirs).startswith(b"HTTP/1.1 101 "))
            with self.assertRaises(OSError):
                ours.send(b"HTTP/1.1 500 Internal Server Error\r\n")

    @staticmethod
    def _no_thread(thread):
        raise RuntimeError("can't start new thread")

    def test_the_original_socket_stays_the_servers(self):
        originals = []

        def host(environ):
            originals.append(environ["gunicorn.socket"])
            self.host(environ)
            self.assertNotEqual(originals[0].fileno(), -1)
            self.assertEqual(originals[0].recv(1), b"")  # nothing to wait for when it is closed

        port, _ = self.stack.enter_context(raw_server(wsgi_like(host)))
        with connect(f"ws://127.0.0.1:{port}/", **PARAMETERS) as client:
            client.send("x")
        self.assert_over()


class TestMisbehaviour(InboundCase):
    def test_each_breach_ends_with_its_code_and_ends_the_one_connection(self):
        bystander = self.connect()
        bomb = zlib.compressobj(wbits=-15).compress(bytes(10_000_000))
        for code, data in [
            (1009, frame(1, b"x" * 65_537)),
            (1009, frame(1, b"x" * 10_000_000)),
            (1009, b"".join(frame(0 if n else 1, b"x" * 10_000, fin=False) for n in range(7))),
            (1007, frame(1, b"\xff\xfe")),
            (1007, frame(1, b"\xc3", fin=False) + frame(0, b"(")),
            (1002, frame(1, bomb, rsv1=True)),
            (1002, frame(3, b"x")),
            (1002, frame(0, b"x")),
            (1002, b"\x81\x01x"),
            (1002, frame(9, b"x", fin=False)),
            (1002, frame(8, b"x")),
            (1008, frame(9) * 5_000),
            (1008, frame(10) * 5_000),
            (1008, frame(1, b"x") * 5_000),
            (1008, (frame(1, b"", fin=False) + frame(0)) * 2_000),
        ]:
            self.options["on_message"] = lambda message: None
            with self.subTest(code=code, begins=data[:4]):
                client = self.raw()
                sender = threading.Thread(target=self._send, args=(client.sock, data))
                sender.start()
                self.assertEqual(client.close_code(), code)
                client.sock.close()
                sender.join(DEADLINE)
                self.assertTrue(self.done.acquire(timeout=DEADLINE))
                self.assertEqual(self.sockets[-1].close_reason, code)
        bystander.ping().wait(DEADLINE)
        self.assertEqual(len(self.registry.snapshot()), 1)

    @staticmethod
    def _send(sock, data):
        with contextlib.suppress(OSError):
            sock.sendall(data)

    def test_a_handler_that_waits_for_messages_is_woken_by_one_that_is_too_big_every_time(self):
        for _ in range(40):
            client = self.raw()
            client.sock.sendall(frame(1, b"x" * 70_000))
            client.sock.shutdown(socket.SHUT_WR)
            self.assertEqual(client.close_code(), 1009)
            client.sock.close()
            self.assertTrue(self.done.acquire(timeout=DEADLINE))
        self.assertEqual(threads_named("ws-reader"), [])

    def test_messages_that_nobody_takes_do_not_pile_up(self):
        release = threading.Event()
        self.handler = lambda websocket: release.wait(DEADLINE)
        client = self.raw()
        client.sock.sendall(frame(1, b"x") * 65)
        self.assertEqual(client.close_code(), 1008)
        client.sock.close()
        eventually(lambda: self.sockets)
        self.assertEqual(len(self.sockets[0].input_buffer), 64)
        release.set()
        self.assert_over()

    def test_a_few_pings_are_all_answered(self):
        client = self.connect()
        pongs = [client.ping(str(number)) for number in range(10)]
        for pong in pongs:
            self.assertTrue(pong.wait(DEADLINE))

    def test_a_message_callback_that_raises_ends_with_1011_and_is_logged(self):
        def on_message(message):
            raise SystemExit(3)

        self.options["on_message"] = on_message
        client = self.connect()
        client.send("x")
        with self.assertRaises(ClientSawClose) as raised:
            client.recv(DEADLINE)
        self.assertEqual(raised.exception.rcvd.code, 1011)
        self.assert_over()
        self.assertIn("ERROR ws-reader: its reader failed", self.log.lines)


class TestSending(InboundCase):
    def test_threads_that_send_at_once_do_not_interleave(self):
        def handler(websocket):
            threads = [threading.Thread(target=websocket.send, args=(letter * 300_000,)) for letter in "abcd"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        self.handler = handler
        client = self.connect(max_size=None)
        messages = sorted(client.recv(DEADLINE) for _ in range(4))
        self.assertEqual(messages, [letter * 300_000 for letter in "abcd"])

    def test_a_ping_is_answered_after_the_message_that_is_being_sent(self):
        def handler(websocket):
            websocket.send("x" * 3_000_000)
            websocket.receive()

        self.handler = handler
        client = self.raw()
        self.assertEqual(client._exactly(10), b"\x81\x7f" + struct.pack("!Q", 3_000_000))
        client.sock.sendall(frame(9, b"?"))
        self.assertEqual(client._exactly(3_000_000), b"x" * 3_000_000)
        self.assertEqual(client._exactly(3), b"\x8a\x01?")

    def test_a_close_frame_is_answered_after_the_message_that_is_being_sent(self):
        for code, breach in ((1000, frame(8, b"\x03\xe8")), (1002, frame(3))):
            self.handler = lambda websocket: websocket.send("x" * 3_000_000)
            with self.subTest(code):
                client = self.raw()
                self.assertEqual(client._exactly(10), b"\x81\x7f" + struct.pack("!Q", 3_000_000))
                client.sock.sendall(breach)
                eventually(lambda: self.sockets and not self.sockets[-1].connected)
                self.assertEqual(client._exactly(3_000_000), b"x" * 3_000_000)
                self.assertEqual(client.close_code(), code)
                client.sock.close()
                self.assert_over()

    def test_after_the_end_it_raises_what_ended_it(self):
        outcome = []

        def handler(websocket):
            with contextlib.suppress(ConnectionClosed):
                websocket.receive()
            try:
                websocket.send("x")
            except ConnectionClosed as closed:
                outcome.append(int(closed.reason))

        self.handler = handler
        self.connect().close(1001)
        self.assert_over()
        self.assertEqual(outcome, [1001])


class TestEnds(InboundCase):
    def test_a_handler_that_returns_ends_with_1000(self):
        self.handler = lambda websocket: websocket.send("bye")
        client = self.connect()
        self.assertEqual(client.recv(DEADLINE), "bye")
        with self.assertRaises(ClientSawClose) as raised:
            client.recv(DEADLINE)
        self.assertEqual((raised.exception.rcvd.code, raised.exception.sent.code), (1000, 1000))
        self.assert_over()

    def test_a_handler_that_raises_ends_with_1011_whatever_it_raises(self):
        for error in (RuntimeError("defect"), SystemExit(3), KeyboardInterrupt(), StopIteration()):

            def handler(websocket, error=error):
                raise error

            self.handler = handler
            client = self.raw()
            self.assertEqual(client.close_code(), 1011)
            client.sock.sendall(frame(8, b"\x03\xf3"))
            self.assertEqual(client.sock.recv(100), b"")  # no HTTP behind it
            client.sock.close()
            self.assert_over()
        self.assertEqual(sum("its handler failed" in line for line in self.log.lines), 4)

    def test_another_thread_closes_it_with_1001_and_wakes_its_handler(self):
        woken = []

        def handler(websocket):
            try:
                websocket.receive()
            finally:
                woken.append(time.monotonic())

        self.handler = handler
        clients = [self.connect() for _ in range(10)]
        eventually(lambda: len(self.registry.snapshot()) == 10)
        begin = time.monotonic()
        self.registry.close_all(1001, "the service is leaving")
        self.assertLess(time.monotonic() - begin, 1)
        for client in clients:
            with self.assertRaises(ClientSawClose) as raised:
                client.recv(DEADLINE)
            self.assertEqual(
                (raised.exception.rcvd.code, raised.exception.rcvd.reason), (1001, "the service is leaving")
            )
        eventually(lambda: len(woken) == 10)
        self.assertLess(max(woken) - begin, 1)
        self.assertEqual(threads_named("ws-reader"), [])

    def test_clients_that_do_not_answer_are_cut_in_one_budget(self):
        self.options["max_message_size"] = 65_536
        clients = [self.raw() for _ in range(10)]
        eventually(lambda: len(self.registry.snapshot()) == 10)
        begin = time.monotonic()
        self.registry.close_all(1001, timeout=0.3)
        self.assertLess(time.monotonic() - begin, 1.5)
        for client in clients:
            self.assertEqual(client.close_code(), 1001)
            self.assertEqual(client.sock.recv(1), b"")
        self.assertEqual(threads_named("ws-reader"), [])

    def test_closing_does_not_wait_for_a_handler_whose_client_takes_nothing(self):
        sending = threading.Event()

        def handler(websocket):
            sending.set()
            websocket.send("x" * 30_000_000)

        self.handler = handler
        self.raw()
        self.assertTrue(sending.wait(DEADLINE))
        begin = time.monotonic()
        self.registry.close_all(1001, timeout=0.2)
        self.assert_over(within=2)
        self.assertLess(time.monotonic() - begin, 2)

    def test_one_accepted_while_the_registry_closes_gets_1001(self):
        self.registry.close_all()
        client = self.connect()
        with self.assertRaises(ClientSawClose) as raised:
            client.recv(DEADLINE)
        self.assertEqual(raised.exception.rcvd.code, 1001)
        self.assert_over()

    def test_closing_twice_is_told_and_does_no_harm(self):
        self.connect()
        eventually(lambda: self.registry.snapshot())
        connection = next(iter(self.registry.snapshot().values()))
        self.assertEqual([connection.close(), connection.close()], [True, False])
        self.assert_over()

    def test_a_flood_does_not_keep_a_closed_connection_open(self):
        """Also when nobody waits for it: the reader ends by itself."""
        self.options |= {"max_frames": 10_000_000, "on_message": lambda message: None}
        client = self.raw()
        eventually(lambda: self.registry.snapshot())
        stop = threading.Event()

        def flood():
            with contextlib.suppress(OSError):
                while not stop.is_set():
                    client.sock.sendall(frame(1, b"x" * 100) * 100)

        flooder = threading.Thread(target=flood)
        flooder.start()
        try:
            self.sockets[0].close(1001)
            self.sockets[0].thread.join(4)
            self.assertFalse(self.sockets[0].thread.is_alive())
        finally:
            stop.set()
            client.sock.close()
            flooder.join(DEADLINE)

    def test_opening_and_closing_are_one_line_each(self):
        self.connect().close(1001, "away\nnow")
        self.assert_over()
        self.assertEqual(self.log.lines[0], "INFO client client-0 connected")
        self.assertRegex(self.log.lines[1], r"^INFO client client-0 closed after \d+\.\d s: 1001 'away\\nnow'$")
        self.assertEqual(len(self.log.lines), 2)

    def test_a_client_that_goes_without_a_word_is_a_warning(self):
        self.raw().sock.close()
        self.assert_over()
        self.assertRegex(self.log.lines[1], "^WARNING client client-0 closed .*: 1006 ")


class TestRegistered(InboundCase):
    def test_it_is_in_the_registry_while_it_is_open_and_observers_hear_of_it(self):
        seen = []
        self.registry.subscribe(lambda each, state: seen.append((each.direction, state)))
        client = self.connect()
        eventually(lambda: self.registry.snapshot())
        connection = self.registry.snapshot()["client-0"]
        self.assertTrue(connection.is_healthy())
        self.assertFalse(connection.reconnect())
        self.assertIsNone(connection.due)
        client.close()
        self.assert_over()
        self.assertFalse(connection.is_healthy())
        self.assertEqual(
            seen, [(Direction.INBOUND, State.CONNECTED), (Direction.INBOUND, State.CLOSED), (Direction.INBOUND, None)]
        )

    def test_an_id_taken_twice_ends_the_second_and_leaves_the_first(self):
        self.ids = iter([7, 7])
        first = self.connect()
        eventually(lambda: self.registry.snapshot())
        second = self.connect()
        with self.assertRaises(ClientSawClose):
            second.recv(DEADLINE)
        self.assertTrue(self.done.acquire(timeout=DEADLINE))
        self.assertTrue(self.registry.snapshot()["client-7"].is_healthy())
        first.close()

    def test_one_found_dead_is_cut_and_said_to_be_closed(self):
        self.connect()
        eventually(lambda: self.registry.snapshot())
        connection = self.registry.snapshot()["client-0"]
        self.assertFalse(connection.recover())
        self.assertIs(connection.state, State.CLOSED)
        self.assert_over()

    def test_one_that_ended_before_it_was_registered_is_closed(self):
        self.handler = lambda websocket: None
        client = self.raw()
        client.sock.close()
        self.assert_over()
        self.assertIs(Inbound("late", self.sockets[0]).state, State.CLOSED)


class TestDeadPeers(InboundCase):
    ping_interval = 0.3

    def test_a_client_that_answers_pings_stays(self):
        self.connect()
        self.assertFalse(self.done.acquire(timeout=3.5 * self.ping_interval))

    def test_a_client_that_is_stopped_is_noticed_within_two_ping_intervals(self):
        with process("client", self.port) as peer:
            eventually(lambda: self.registry.snapshot())
            peer.send_signal(signal.SIGSTOP)
            begin = time.monotonic()
            self.assert_over()
            self.assertLess(time.monotonic() - begin, 2 * self.ping_interval + 0.5)
        self.assertIn("no answer to a ping", self.log.lines[-1])

    def test_a_client_that_is_killed_is_noticed_at_once(self):
        self.ping_interval = 60
        with process("client", self.port) as peer:
            eventually(lambda: self.registry.snapshot())
            peer.kill()
            begin = time.monotonic()
            self.assert_over()
            self.assertLess(time.monotonic() - begin, 1)

    def test_a_client_that_stops_reading_while_we_send_is_noticed_within_two_ping_intervals(self):
        def handler(websocket):
            while True:
                websocket.send("x" * 100_000)

        self.handler = handler
        with process("client", self.port) as peer:
            eventually(lambda: self.registry.snapshot())
            peer.send_signal(signal.SIGSTOP)
            begin = time.monotonic()
            self.assert_over()
            self.assertLess(time.monotonic() - begin, 2 * self.ping_interval + 0.5)

    def test_a_client_that_sends_but_never_reads_is_noticed(self):
        client = self.raw()
        stop = threading.Event()

        def talk():
            with contextlib.suppress(OSError):
                while not stop.wait(0.02):
                    client.sock.sendall(frame(1, b"x"))

        talker = threading.Thread(target=talk)
        talker.start()
        try:
            self.assertTrue(self.done.acquire(timeout=4 * self.ping_interval + 1))
        finally:
            stop.set()
            talker.join(DEADLINE)

    def test_a_callback_that_takes_long_does_not_make_its_client_look_dead(self):
        handled = threading.Event()

        def on_message(message):
            threading.Event().wait(2.2 * self.ping_interval)
            handled.set()

        self.options["on_message"] = on_message
        self.connect().send("x")
        self.assertTrue(handled.wait(DEADLINE))
        self.assertFalse(self.done.acquire(timeout=2.5 * self.ping_interval))


class TestCycles(InboundCase):
    def test_a_hundred_clients_leave_no_thread_and_no_descriptor(self):
        self.connect().close()
        self.assert_over()
        before = descriptors()
        for number in range(100):
            client = self.connect()
            if number % 2:
                client.close()
            else:
                client.socket.shutdown(socket.SHUT_RDWR)
                client.close()
            self.assertTrue(self.done.acquire(timeout=DEADLINE))
        self.assertEqual(threads_named("ws-reader"), [])
        eventually(lambda: descriptors() <= before)


if __name__ == "__main__":
    unittest.main()
