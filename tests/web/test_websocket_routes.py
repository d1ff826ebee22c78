"""`/ws` with an independent client and with raw sockets: in this process, and as it is served."""

import itertools
import json
import os
import select
import signal
import socket
import struct
import threading
import time
import unittest
from contextlib import ExitStack, contextmanager, suppress
from unittest.mock import Mock, patch

from flask import Flask
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from app.connections.registry import Registry
from app.factory import create_app, runtime_of
from app.settings import Settings
from app.web import error_handlers
from app.web.feed import Feed
from app.web.waiting import ENVIRON_KEY
from app.web.websocket_routes import create_websocket_blueprint
from tests.fakes import DEADLINE, LogLines
from tests.peers.ai_service import FaultyAiService, Mode
from tests.peers.service import Service, eventually
from tests.peers.websocket import CLOSE, HANDSHAKE, TEXT, UPGRADE, Host, RawClient, frame, process

PING = 1.0
SWEEP = 0.4
CAP = 4
TOKEN = "hunter2-token"
KEYS = ["type", "seq", "status", "timestamp", "version", "service", "dependencies", "draining"]
ASK, PONG = b'{"type":"ping"}', '{"type":"pong"}'


class InProcessTest(unittest.TestCase):
    ping, cap, token = 30.0, CAP, ""

    def setUp(self):
        self.filler, self.facts_asked, self.followers = "", 0, 0
        self.log = LogLines(self, "app.connections")
        self.registry = Registry(self.cap)
        self.feed = Feed(self.facts)
        app = Flask(__name__, static_folder=None)
        error_handlers.init_app(app)
        app.register_blueprint(
            create_websocket_blueprint(
                self.feed, self.registry, self.follow, self.ping, self.token, ("https://allowed.example",)
            )
        )
        self.http = app.test_client()
        self.host = self.enterContext(Host(app))
        self.feed.publish()

    def facts(self):
        self.facts_asked += 1
        return {"filler": self.filler}

    def follow(self, following):
        self.followers += 1 if following else -1

    def raw(self, **options):
        return self.enterContext(RawClient(self.host.port, **options))

    def connect(self):
        url = f"ws://127.0.0.1:{self.host.port}/ws"
        return self.enterContext(connect(url, ping_interval=None, compression=None, max_size=None))

    def assert_nobody_there(self):
        self.assertTrue(self.host.wait_for_open(0))
        self.assertEqual(self.registry.facts()["inbound"]["open"], 0)
        self.assertEqual(self.registry.snapshot(), {})
        self.assertEqual(self.followers, 0)


class FeedTest(InProcessTest):
    def test_a_new_client_gets_the_last_message_though_nothing_has_changed_since(self):
        texts = {self.connect().recv(timeout=DEADLINE) for _ in range(3)}
        self.assertEqual(texts, {'{"type":"health","seq":1,"filler":""}'})
        self.assertEqual(self.facts_asked, 1)

    def test_pings_are_answered_and_every_other_message_is_ignored(self):
        client = self.connect()
        client.recv(timeout=DEADLINE)
        client.send('{"type":"ping"}')
        self.assertEqual(client.recv(timeout=DEADLINE), PONG)
        for other in (
            "",
            "ping",
            "[]",
            '"ping"',
            '{"type":"pang"}',
            '{"type":["ping"]}',
            '{"type":{"type":"ping"}}',
            "{",
            "NaN",
            ASK,
            b"\0\xff",
            "[" * 60_000,
            '{"a":' * 10_000,
            "9" * 60_000,
            '"\\ud800"',
        ):
            client.send(other)
        client.send(' { "type" : "ping" } ')
        self.assertEqual(client.recv(timeout=DEADLINE), PONG)
        with self.assertRaises(TimeoutError):
            client.recv(timeout=0.1)

    def test_a_message_of_more_than_256_bytes_is_not_parsed(self):
        client = self.connect()
        client.recv(timeout=DEADLINE)
        with patch("app.web.websocket_routes.json.loads", wraps=json.loads) as loads:
            for size in (257, 60_000, 256):
                client.send(ASK.decode().ljust(size))
            self.assertEqual(client.recv(timeout=DEADLINE), PONG)
        self.assertEqual([len(call.args[0]) for call in loads.call_args_list], [256])

    def test_a_client_does_not_count_as_a_computing_request(self):
        entered = []

        @contextmanager
        def waiting():
            entered.append("in")
            yield
            entered.append("out")

        wsgi = self.host.app
        self.host.app = lambda environ, start: wsgi(environ | {ENVIRON_KEY: waiting}, start)
        with self.connect() as client:
            client.recv(timeout=DEADLINE)
            self.assertEqual(entered, ["in"])
        self.assert_nobody_there()
        self.assertEqual(entered, ["in", "out"])

    def test_a_hundred_pings_are_a_hundred_pongs(self):
        client = self.connect()
        client.recv(timeout=DEADLINE)
        for _ in range(100):
            client.send('{"type":"ping"}')
        self.assertEqual({client.recv(timeout=DEADLINE) for _ in range(100)}, {PONG})

    def test_many_changes_in_a_row_make_few_messages_and_the_last_change_makes_one(self):
        client = self.connect()
        client.recv(timeout=DEADLINE)
        pause = threading.Event()
        for _ in range(100):
            self.feed.publish()
            pause.wait(0.002)
        numbers = []
        while not numbers or numbers[-1] < 101:
            numbers.append(json.loads(client.recv(timeout=DEADLINE))["seq"])
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertLess(len(numbers), 50)

    def test_a_client_is_followed_and_registered_while_it_is_connected(self):
        with self.connect() as client:
            client.recv(timeout=DEADLINE)
            self.assertEqual(self.followers, 1)
            self.assertEqual(self.registry.facts()["by_state"]["connected"], 1)
        self.assert_nobody_there()

    def test_opening_and_closing_are_logged_once_each_with_duration_and_close_code(self):
        for ending, code, line in [
            (frame(CLOSE, b"\x03\xe8bye"), 1000, r"INFO client ws-\d+ closed after \d+\.\d s: 1000 'bye'"),
            (frame(TEXT, b"\xff"), 1007, r"WARNING client ws-\d+ closed after \d+\.\d s: 1007 .+"),
        ]:
            for _ in range(10):  # a client that leaves at once has been connected all the same
                self.log.lines.clear()
                with RawClient(self.host.port, ending) as client:
                    self.assertEqual(client.close_code(), code)
                self.assert_nobody_there()
                self.assertRegex("\n".join(self.log.lines), rf"^INFO client ws-\d+ connected\n{line}$")

    def test_a_handler_that_fails_ends_with_1011_and_no_http_follows(self):
        for error in (RuntimeError("broken"), SystemExit(3)):
            with self.subTest(error):
                self.log.lines.clear()
                self.feed.listening = Mock(side_effect=error)
                with RawClient(self.host.port) as client:
                    self.assertEqual(client.close_code(), 1011)
                self.assert_nobody_there()
                self.assertEqual([line.split()[0] for line in self.log.lines], ["INFO", "ERROR", "WARNING"])

    def test_a_client_gets_1001_when_the_registry_closes_and_the_next_is_refused(self):
        client = self.connect()
        client.recv(timeout=DEADLINE)
        self.registry.close_all()
        with self.assertRaises(ConnectionClosed) as closed:
            client.recv(timeout=DEADLINE)
        self.assertEqual(closed.exception.rcvd.code, 1001)
        self.assert_nobody_there()
        self.assertEqual(self.http.get("/ws", headers=UPGRADE).status_code, 503)


class AssembledTest(unittest.TestCase):
    """The application as it is assembled, not started: it neither checks nor sweeps."""

    def setUp(self):
        LogLines(self, "app.connections")
        app = create_app(Settings.load({}))
        self.runtime = runtime_of(app)
        self.host = self.enterContext(Host(app))

    def connect(self):
        url = f"ws://127.0.0.1:{self.host.port}/ws"
        return self.enterContext(connect(url, ping_interval=None))

    def test_clients_that_come_and_go_and_draining_make_messages(self):
        client = self.connect()
        messages = (json.loads(client.recv(timeout=DEADLINE)) for _ in itertools.count())
        first = next(messages)
        self.assertEqual((list(first), first["draining"]), (KEYS, False))
        with self.connect():
            second = next(messages)
        third = next(messages)
        self.assertLess(first["seq"], second["seq"])
        self.assertLess(second["seq"], third["seq"])
        self.runtime.begin_drain()
        self.assertTrue(any(message["draining"] for message in itertools.islice(messages, 3)))

    def test_a_sweep_makes_a_message(self):
        client = self.connect()
        seq = json.loads(client.recv(timeout=DEADLINE))["seq"]
        self.runtime.monitor.sweep()
        self.assertEqual(json.loads(client.recv(timeout=DEADLINE))["seq"], seq + 1)


class ManyTest(InProcessTest):
    cap = 96

    def test_a_change_is_serialised_once_and_reaches_all_clients_at_once(self):
        clients = [self.raw() for _ in range(self.cap)]
        for client in clients:
            client.message()
        began = time.monotonic()
        self.feed.publish()
        texts = {client.message() for client in clients}
        self.assertLess(time.monotonic() - began, 1)
        self.assertEqual(texts, {'{"type":"health","seq":2,"filler":""}'})
        self.assertEqual(self.facts_asked, 2)


class SlowClientTest(InProcessTest):
    """Messages so large that a few fill every buffer on the way."""

    ping = 1.0

    def setUp(self):
        super().setUp()
        self.filler = "x" * 100_000
        self.slow = self.raw(receive_buffer=4096)
        self.slow.message()
        self.other = self.connect()
        self.other.recv(timeout=DEADLINE)

    def publish_and_see_it_arrive(self):
        """Seconds that publishing took, and seconds until the other client had the message."""
        began = time.monotonic()
        self.feed.publish()
        published = time.monotonic()
        self.assertIn('"type":"health"', self.other.recv(timeout=DEADLINE))
        return published - began, time.monotonic() - began

    def test_a_slow_client_delays_nothing_and_gets_the_newest_message_when_it_can(self):
        for _ in range(6):
            held_up, arrived = self.publish_and_see_it_arrive()
            self.assertLess(held_up, 1.0)
            self.assertLess(arrived, 1.0)
        numbers = []
        while not numbers or numbers[-1] < 7:
            numbers.append(json.loads(self.slow.message())["seq"])
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertLess(len(numbers), 6)

    def test_a_client_that_reads_nothing_is_closed_and_gives_its_place_back(self):
        began = time.monotonic()
        while len(self.registry.snapshot()) == 2:
            self.assertLess(self.publish_and_see_it_arrive()[1], 0.5)
            self.assertLess(time.monotonic() - began, 2 * self.ping + 1)
        self.assertTrue(self.host.wait_for_open(1))
        self.assertEqual(self.registry.facts()["inbound"]["open"], 1)

    def test_a_client_that_asks_and_reads_no_answer_delays_only_itself(self):
        self.slow.sock.setblocking(False)
        with suppress(OSError):
            while select.select([], [self.slow.sock], [], 0.1)[1]:
                self.slow.sock.send(frame(TEXT, ASK))
        self.assertLess(self.publish_and_see_it_arrive()[1], 0.5)
        self.assertTrue(self.host.wait_for_open(1))


class RefusalTest(InProcessTest):
    token = TOKEN

    def get(self, headers):
        return self.http.get("/ws", base_url="http://localhost", headers=headers)

    def test_the_handshake_is_judged_first_then_the_token_the_origin_and_the_room(self):
        faults = {
            426: {"Sec-WebSocket-Version": "8"},
            401: {"Authorization": "Bearer wrong"},
            403: {"Origin": "http://other.example"},
            503: {},
        }
        right = UPGRADE | {"Authorization": f"Bearer {TOKEN}", "Origin": "https://allowed.example"}
        for number in range(1, 5):
            for chosen in itertools.combinations(faults, number):
                with self.subTest(chosen), ExitStack() as stack:
                    headers = dict(right)
                    for status in chosen:
                        headers |= faults[status]
                    for _ in range(CAP if 503 in chosen else 0):
                        self.assertTrue(self.registry.reserve())
                        stack.callback(self.registry.release)
                    answer = self.get(headers)
                    self.assertEqual(answer.status_code, chosen[0])
                    self.assertEqual(answer.content_type, "application/problem+json")
                    self.assertEqual(answer.headers.get("Retry-After", "").isdigit(), answer.status_code == 503)
        self.assertEqual(
            self.registry.refused.snapshot(), {"handshake": 8, "token": 4, "origin": 2, "capacity": 1, "closing": 0}
        )
        self.assertEqual(self.registry.facts()["inbound"], {"open": 0, "cap": CAP, "refused": 15})

    def test_a_request_that_is_not_a_handshake_gets_400_or_426(self):
        for wrong, status in [
            ({"Upgrade": ""}, 426),
            ({"Upgrade": "h2c"}, 426),
            ({"Sec-WebSocket-Version": ""}, 426),
            ({"Connection": "keep-alive"}, 400),
            ({"Connection": ""}, 400),
            ({"Sec-WebSocket-Key": ""}, 400),
            ({"Sec-WebSocket-Key": "short"}, 400),
            ({"Sec-WebSocket-Key": "?" * 24}, 400),
        ]:
            with self.subTest(wrong):
                self.assertEqual(self.get(UPGRADE | wrong).status_code, status)
        self.assertEqual(self.get({}).status_code, 426)

    def test_without_a_descriptor_a_client_gets_503_and_its_place_is_given_back(self):
        headers = UPGRADE | {"Authorization": f"Bearer {TOKEN}"}
        with socket.socket() as sock, patch("os.pipe", side_effect=OSError(24, "Too many open files")):
            answer = self.http.get("/ws", headers=headers, environ_overrides={"gunicorn.socket": sock})
        self.assertEqual((answer.status_code, answer.content_type), (503, "application/problem+json"))
        self.assert_nobody_there()

    def test_a_place_is_given_back_when_the_upgrade_fails(self):
        with self.assertLogs("app.web", "ERROR"):  # the environ holds no socket
            self.assertEqual(self.get(UPGRADE | {"Authorization": f"Bearer {TOKEN}"}).status_code, 500)
        self.assert_nobody_there()


class Served:
    """One service for all tests; they hold on every worker class."""

    @classmethod
    def setUpClass(cls):
        cls.ai = cls.enterClassContext(FaultyAiService())
        cls.service = cls.enterClassContext(
            Service(
                AI_SERVICE_URL=cls.ai.url,
                WORKER_CLASS=cls.worker_class,
                WS_PING_INTERVAL_SECONDS=PING,
                SWEEP_INTERVAL_SECONDS=SWEEP,
                WS_MAX_CONNECTIONS=CAP,
                CHECK_MAX_AGE_SECONDS=0.1,
                CHECK_INTERVAL_SECONDS=60,
                CHECK_TIMEOUT_SECONDS=1,
            )
        )

    def setUp(self):
        self.addCleanup(self.assert_nothing_is_left)

    def assert_nothing_is_left(self):
        eventually(lambda: self.inbound()["open"] == 0)
        self.assertFalse([line for line in self.service.lines if "ERROR" in line or "Traceback" in line])

    def inbound(self):
        return self.service.json("/health/details")["connections"]["inbound"]

    def connect(self, **options):
        url = f"ws://127.0.0.1:{self.service.port}/ws"
        return self.enterContext(connect(url, ping_interval=None, **options))

    def raw(self, early=b""):
        return RawClient(self.service.port, early)

    @staticmethod
    def messages(client):
        while True:
            yield json.loads(client.recv(timeout=DEADLINE))

    def test_the_state_arrives_at_once_with_exactly_these_keys(self):
        message = json.loads(self.connect().recv(timeout=DEADLINE))
        self.assertEqual(list(message), KEYS)
        self.assertEqual(message["type"], "health")
        self.assertEqual(list(self.service.json("/health")), KEYS[2:-1])

    def test_clients_get_the_same_bytes_at_every_sweep_and_not_at_every_check(self):
        clients = [self.connect(), self.connect()]
        for client in clients:  # their arrival was a change
            client.recv(timeout=DEADLINE)
        began = eventually(lambda: self.sweep_seen(clients[0]))
        checks = self.ai.requests
        seen = [{}, {}]
        for client, texts in zip(clients, seen, strict=True):
            while len(texts) < 3:
                text = client.recv(timeout=DEADLINE)
                if (seq := json.loads(text)["seq"]) > began:
                    self.assertGreater(seq, max(texts, default=0))
                    texts[seq] = text
        self.assertEqual(seen[0], seen[1])
        self.assertGreater(self.ai.requests - checks, 5)

    @staticmethod
    def sweep_seen(client):
        """The number of a message that came after a pause."""
        try:
            client.recv(timeout=0.2)
        except TimeoutError:
            return json.loads(client.recv(timeout=DEADLINE))["seq"]

    def test_a_change_makes_a_message_at_once(self):
        messages = self.messages(self.connect())
        for mode, status in ((Mode.OK, "connected"), (Mode.STATUS_503, "disconnected"), (Mode.OK, "connected")):
            self.ai.mode = mode
            message = next(each for each in messages if each["dependencies"]["ai_service"] == status)
            arrived = time.time() * 1000
            changes = self.service.json("/health/details")["checks"]["ai_service"]["changes"]
            self.assertEqual(changes[-1]["status"], status)
            self.assertLess(arrived - changes[-1]["at"], 500)  # on an idle machine it is 10
            self.assertGreaterEqual(message["timestamp"], changes[-1]["at"])

    def test_a_message_in_one_segment_with_the_handshake_is_not_lost(self):
        early = frame(TEXT, ASK)
        for end in (len(early), 10, 3):
            with self.raw(early[:end]) as client:
                client.sock.sendall(early[end:])
                self.assertIn((TEXT, PONG.encode()), client.frames())

    def test_a_frame_byte_by_byte_is_a_frame(self):
        with self.raw() as client:
            for byte in frame(TEXT, ASK):
                client.sock.sendall(bytes([byte]))
            self.assertIn((TEXT, PONG.encode()), client.frames())

    def test_a_client_that_breaks_a_rule_gets_its_code_and_no_other_client_notices(self):
        other = self.connect(max_queue=None)  # it goes on reading, and so answers pings
        for what, sent, code in [
            ("a message over 64 KiB", frame(TEXT, bytes(64 * 1024 + 1)), 1009),
            ("the beginning of an endless one", b"\x81\xff" + bytes([0, 0, 1, 0, 0, 0, 0, 0]) + bytes(100_000), 1009),
            ("text that is not UTF-8", frame(TEXT, b"\xff\xfe"), 1007),
            ("a frame without a mask", b"\x81\x02hi", 1002),
            ("HTTP", HANDSHAKE, 1002),
            ("a flood of pings", frame(9) * 1000, 1008),
            ("a flood of questions", frame(TEXT, ASK) * 1000, 1008),
            ("more than 256 KiB in a second", frame(2, bytes(60 * 1024)) * 5, 1008),
            ("no answer to a ping", b"", 1008),
        ]:
            with self.subTest(what), self.raw() as client:
                client.sock.sendall(sent)
                self.assertEqual(client.close_code(), code)
            eventually(lambda: self.inbound()["open"] == 1)
        other.send(ASK.decode())
        eventually(lambda: other.recv(timeout=DEADLINE) == PONG)

    def test_a_client_that_goes_without_a_word_is_noticed_without_a_ping(self):
        def endings():
            return [line for line in self.service.lines if "closed after" in line]

        # One of its own: of the clients of all these tests, not every line is logged.
        self.service = self.enterContext(Service(AI_SERVICE_URL=self.ai.url, WORKER_CLASS=self.worker_class))
        self.addCleanup(delattr, self, "service")
        for end in ("FIN", "RST"):
            before = len(endings())
            with self.subTest(end), self.raw() as client:
                if end == "RST":
                    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            eventually(lambda: len(endings()) > before)
            self.assertIn(": 1006 ", endings()[-1])  # not 1008, no answer to a ping

    def test_a_client_beyond_the_last_place_gets_503_before_any_upgrade(self):
        refused = self.inbound()["refused"]
        with ExitStack() as stack:
            for _ in range(CAP):
                stack.enter_context(self.connect())
            with self.assertRaises(InvalidStatus) as caught:
                self.connect()
            self.assertEqual(caught.exception.response.status_code, 503)
            self.assertTrue(caught.exception.response.headers["Retry-After"].isdigit())
            self.assertEqual(self.inbound(), {"open": CAP, "cap": CAP, "refused": refused + 1})
            self.assertEqual(self.service.get("/health/live").status, 200)
        eventually(lambda: self.inbound()["open"] == 0)
        self.connect().recv(timeout=DEADLINE)

    def test_a_page_of_another_origin_gets_403(self):
        ours = f"https://127.0.0.1:{self.service.port}"
        self.connect(origin=ours).recv(timeout=DEADLINE)
        with self.assertRaises(InvalidStatus) as caught:
            self.connect(origin="http://other.example")
        self.assertEqual(caught.exception.response.status_code, 403)

    def test_a_request_without_a_handshake_is_answered_with_what_is_missing(self):
        answer = self.service.get("/ws")
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (426, "application/problem+json"))
        self.assertEqual(answer.headers["Upgrade"], "websocket")
        self.assertEqual(answer.headers["Connection"].lower(), "upgrade")
        self.assertEqual(answer.headers["Sec-WebSocket-Version"], "13")
        answer = self.service.get("/ws", method="POST")
        self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD"))

    def test_clients_that_come_and_go_leave_no_thread_and_no_descriptor(self):
        def come_and_go(times):
            for number in range(times):
                with self.raw(frame(CLOSE, b"\x03\xe8") if number % 2 else b"") as client:
                    self.assertEqual(client.status, 101)
                    self.assertEqual(client.close_code() if number % 2 else 1000, 1000)
                if number % 3 == 2:
                    eventually(lambda: self.inbound()["open"] == 0)
            pid = self.service.worker_pid
            return len(os.listdir(f"/proc/{pid}/task")), len(os.listdir(f"/proc/{pid}/fd"))

        threads, descriptors = come_and_go(6)
        after = come_and_go(30)
        self.assertLessEqual(after[0], threads + 2)
        self.assertLessEqual(after[1], descriptors + 2)


class OnTheProbeWorkerTest(Served, unittest.TestCase):
    worker_class = "probe"

    def test_a_client_process_that_is_stopped_or_killed_is_noticed(self):
        for number in (signal.SIGSTOP, signal.SIGKILL):
            with self.subTest(number), process("client", self.service.port) as (client, _):
                self.assertEqual(self.inbound()["open"], 1)
                client.send_signal(number)
                eventually(lambda: self.inbound()["open"] == 0, 2 * PING + 2)

    def test_a_handshake_with_headers_in_no_charset_is_accepted(self):
        with socket.create_connection(("127.0.0.1", self.service.port), DEADLINE) as sock:
            sock.sendall(HANDSHAKE.replace(b"Host: localhost", b"Host: \xe4\r\nSec-WebSocket-Protocol: \xe4"))
            self.assertTrue(sock.recv(100).startswith(b"HTTP/1.1 101 "))


class OnTheStockWorkerTest(Served, unittest.TestCase):
    worker_class = "gthread"


class LeavingTest(unittest.TestCase):
    def test_clients_get_a_message_that_it_drains_and_then_1001(self):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        for worker_class in ("probe", "gthread"):
            service = Service(WORKER_CLASS=worker_class, STATUS_TOKEN=TOKEN, DRAIN_SECONDS=0.3)
            with self.subTest(worker_class), service:
                url = f"ws://127.0.0.1:{service.port}/ws"
                client = self.enterContext(connect(url, ping_interval=None, additional_headers=headers))
                client.recv(timeout=DEADLINE)
                service.signal(signal.SIGTERM)
                texts = []
                with self.assertRaises(ConnectionClosed) as closed:
                    while True:
                        texts.append(client.recv(timeout=DEADLINE))
                self.assertEqual(closed.exception.rcvd.code, 1001)
                self.assertIs(json.loads(texts[-1])["draining"], True)
                self.assertEqual(service.wait(), 0)
                self.assertFalse([line for line in service.lines if "Traceback" in line])
