"""`/ws` of the running service, seen by an independent client and by raw sockets."""

import base64
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest
from contextlib import ExitStack

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.peers.ai_service import FaultyAiService, Mode
from tests.peers.service import Service, eventually

PING = 0.5
CAP = 4
KEYS = ["type", "seq", "status", "timestamp", "version", "service", "dependencies", "draining"]
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.b64encode(b"0123456789abcdef") + b"\r\n\r\n"
)
CLIENT = """
import sys
from websockets.sync.client import connect
with connect(sys.argv[1], ping_interval=None) as client:
    print(client.recv(), flush=True)
    sys.stdin.read()
"""


def frame(opcode, payload, masked=True):
    """A single client's frame."""
    mask = b"\1\2\3\4"
    data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, length)
    return head + mask + data


class WebSocketTest(unittest.TestCase):
    worker_class = "probe"
    token = ""
    sweep = 0.5

    @classmethod
    def setUpClass(cls):
        cls.ai = FaultyAiService()
        cls.addClassCleanup(cls.ai.close)
        cls.service = Service(
            AI_SERVICE_URL=cls.ai.url, WORKER_CLASS=cls.worker_class, STATUS_TOKEN=cls.token,
            WS_PING_INTERVAL_SECONDS=PING, SWEEP_INTERVAL_SECONDS=cls.sweep, WS_MAX_CONNECTIONS=CAP,
            CHECK_MAX_AGE_SECONDS=0.1, CHECK_INTERVAL_SECONDS=60, CHECK_TIMEOUT_SECONDS=1,
            WS_ALLOWED_ORIGINS="https://allowed.example",
        )
        cls.addClassCleanup(cls.service.close)

    def setUp(self):
        self.addCleanup(eventually, lambda: self.open_places() == 0)

    def open_places(self):
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return self.service.json("/health/details", **headers)["connections"]["inbound"]["open"]

    def connect(self, **options):
        options.setdefault("ping_interval", None)
        url = f"ws://127.0.0.1:{self.service.port}/ws"
        return self.enterContext(connect(url, open_timeout=5, close_timeout=5, **options))

    def refusal(self, **options):
        with self.assertRaises(InvalidStatus) as caught:
            self.connect(**options)
        return caught.exception.response

    def raw(self, data=b""):
        sock = socket.create_connection(("127.0.0.1", self.service.port), 5)
        self.addCleanup(sock.close)
        sock.sendall(HANDSHAKE % self.service.port)
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(1)
        self.assertTrue(head.startswith(b"HTTP/1.1 101 "), head)
        sock.sendall(data)
        return sock


class FeedTest(WebSocketTest):
    def test_the_state_comes_at_once_with_exactly_these_keys(self):
        message = json.loads(self.connect().recv(timeout=5))
        self.assertEqual(list(message), KEYS)
        self.assertEqual(message["type"], "health")

    def test_every_client_gets_the_same_bytes_and_the_numbers_rise(self):
        clients = [self.connect() for _ in range(3)]
        seen = [{} for _ in clients]
        for client, messages in zip(clients, seen, strict=True):
            numbers = []
            for _ in range(6):
                text = client.recv(timeout=5)
                numbers.append(json.loads(text)["seq"])
                messages[numbers[-1]] = text
            self.assertEqual(numbers, sorted(set(numbers)))
        common = set(seen[0]) & set(seen[1]) & set(seen[2])
        self.assertTrue(common)
        for seq in common:
            self.assertEqual(len({messages[seq] for messages in seen}), 1)

    def test_a_change_is_told_soon_after_it_is_known(self):
        client = self.connect()
        eventually(lambda: json.loads(client.recv(timeout=5))["dependencies"]["ai_service"] == "connected")
        self.ai.mode = Mode.STATUS_503
        self.addCleanup(setattr, self.ai, "mode", Mode.OK)
        told = eventually(lambda: self.message_with(client, "disconnected"))
        arrived = time.time() * 1000
        checks = self.service.json("/health/details")["checks"]["ai_service"]
        known = checks["changes"][-1]["at"]
        self.assertLess(arrived - known, 500)
        self.assertEqual(told["status"], "unhealthy")

    @staticmethod
    def message_with(client, status):
        message = json.loads(client.recv(timeout=5))
        return message if message["dependencies"]["ai_service"] == status else None

    def test_ping_is_answered_and_all_else_is_ignored(self):
        client = self.connect()
        for ignored in ("x", "[]", '{"type":"pang"}', b"\0\1", "[" * 10_000, '{"type":{}}'):
            client.send(ignored)
        client.send('{"type":"ping"}')
        eventually(lambda: client.recv(timeout=5) == '{"type":"pong"}')

    def test_a_frame_byte_by_byte_is_a_frame(self):
        sock = self.raw()
        for byte in frame(1, b'{"type":"ping"}'):
            sock.sendall(bytes([byte]))
        received = b""
        while b'{"type":"pong"}' not in received:
            received += sock.recv(4096)

    def test_it_is_counted_while_it_is_there_and_logged_once_each_way(self):
        client = self.connect()
        client.recv(timeout=5)
        self.assertEqual(self.service.json("/health/details")["connections"]["inbound"]["open"], 1)
        client.close()
        eventually(lambda: any("closed after" in line and ": 1000" in line for line in self.service.lines))


class EndTest(WebSocketTest):
    def assert_closed(self, client, code):
        with self.assertRaises(ConnectionClosed) as caught:
            while True:
                client.recv(timeout=5)
        self.assertEqual(caught.exception.rcvd.code, code)

    def test_a_message_too_big_ends_the_one_connection(self):
        other = self.connect()
        client = self.connect()
        client.send("x" * (64 * 1024 + 1))
        self.assert_closed(client, 1009)
        other.send('{"type":"ping"}')
        eventually(lambda: other.recv(timeout=5) == '{"type":"pong"}')

    def test_text_that_is_not_utf8_ends_it_with_1007(self):
        sock = self.raw(frame(1, b"\xff\xfe"))
        received = b""
        while data := sock.recv(4096):
            received += data
        self.assertIn(struct.pack("!H", 1007), received)

    def test_a_client_process_that_is_stopped_or_killed_is_noticed(self):
        for number in (signal.SIGSTOP, signal.SIGKILL):
            with self.subTest(number):
                client = subprocess.Popen(
                    [sys.executable, "-c", CLIENT, f"ws://127.0.0.1:{self.service.port}/ws"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                )
                try:
                    client.stdout.readline()
                    self.assertEqual(self.open_places(), 1)
                    os.kill(client.pid, number)
                    eventually(lambda: self.open_places() == 0, 2 * PING + 3)
                finally:
                    client.kill()
                    client.communicate()

    def test_one_that_reads_nothing_is_closed_and_the_others_do_not_notice(self):
        sock = self.raw()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        other = self.connect()
        longest, last = 0.0, time.monotonic()
        while self.open_places() > 1:
            other.recv(timeout=5)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        self.assertLess(longest, self.sweep + 1)

    def test_a_thousand_comings_and_goings_leave_nothing_behind(self):
        def threads_and_descriptors():
            pid = self.service.worker_pid
            return len(os.listdir(f"/proc/{pid}/task")), len(os.listdir(f"/proc/{pid}/fd"))

        def come_and_go(times):
            for _ in range(times):
                with connect(f"ws://127.0.0.1:{self.service.port}/ws", ping_interval=None) as client:
                    client.recv(timeout=5)
                eventually(lambda: self.open_places() == 0)

        come_and_go(10)
        threads, descriptors = threads_and_descriptors()
        come_and_go(100)
        eventually(lambda: threads_and_descriptors()[1] <= descriptors + 3)
        self.assertLessEqual(threads_and_descriptors()[0], threads + 3)


class RefusalTest(WebSocketTest):
    def test_the_next_after_the_last_place_gets_503_before_any_upgrade(self):
        with ExitStack() as stack:
            for _ in range(CAP):
                stack.enter_context(self.connect())
            refused = self.refusal()
            self.assertEqual(refused.status_code, 503)
            self.assertTrue(refused.headers["Retry-After"].isdigit())
            self.assertEqual(self.service.get("/health/live").status, 200)
        eventually(lambda: self.open_places() == 0)
        self.connect().recv(timeout=5)

    def test_a_page_of_another_origin_gets_403(self):
        for origin, allowed in [
            ("http://evil.example", False), ("null", False), ("https://allowed.example", True),
            (f"https://127.0.0.1:{self.service.port}", True),
        ]:
            with self.subTest(origin):
                if allowed:
                    with self.connect(origin=origin) as client:
                        client.recv(timeout=5)
                else:
                    self.assertEqual(self.refusal(origin=origin).status_code, 403)

    def test_what_is_no_handshake_gets_400_or_426_and_what_would_be_right(self):
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
        key = {"Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode()}
        for headers, status in [
            ({}, 426),
            (upgrade | key | {"Sec-WebSocket-Version": "8"}, 426),
            (upgrade | key, 426),
            (upgrade | {"Sec-WebSocket-Version": "13"}, 400),
            (upgrade | {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "short"}, 400),
        ]:
            with self.subTest(headers):
                answer = self.service.get("/ws", **headers)
                self.assertEqual(answer.status, status)
                self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
                if status == 426:
                    self.assertEqual(answer.headers["Sec-WebSocket-Version"], "13")
                    self.assertEqual(answer.headers["Upgrade"], "websocket")

    def test_another_method_gets_405(self):
        answer = self.service.get("/ws", method="POST")
        self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD"))

    def test_refusals_are_counted(self):
        before = self.service.json("/health/details")["connections"]["inbound"]["refused"]
        self.refusal(origin="http://evil.example")
        after = self.service.json("/health/details")["connections"]["inbound"]["refused"]
        self.assertEqual(after, before + 1)


class TokenTest(WebSocketTest):
    token = "hunter2hunter2"

    def test_it_is_wanted_before_the_origin_is_looked_at(self):
        self.assertEqual(self.refusal(origin="http://evil.example").status_code, 401)
        bearer = {"Authorization": f"Bearer {self.token}"}
        self.assertEqual(self.refusal(origin="http://evil.example", additional_headers=bearer).status_code, 403)
        self.connect(additional_headers=bearer).recv(timeout=5)

    def test_a_handshake_that_is_none_is_refused_first(self):
        self.assertEqual(self.service.get("/ws").status, 426)


class LeavingTest(unittest.TestCase):
    def test_clients_are_told_1001(self):
        for worker_class in ("probe", "gthread"):
            with self.subTest(worker_class), Service(WORKER_CLASS=worker_class) as service:
                client = self.enterContext(connect(f"ws://127.0.0.1:{service.port}/ws", ping_interval=None))
                client.recv(timeout=5)
                codes = []

                def listen():
                    try:
                        for _ in client:
                            pass
                        codes.append(client.protocol.close_rcvd.code)
                    except ConnectionClosed as closed:
                        codes.append(closed.rcvd.code)

                listener = threading.Thread(target=listen)
                listener.start()
                service.signal(signal.SIGTERM)
                listener.join(10)
                self.assertEqual(codes, [1001])
                self.assertEqual(service.wait(), 0)
                self.assertFalse([line for line in service.lines if "Traceback" in line])


class OnTheStockWorkerTest(FeedTest):
    worker_class = "gthread"


class RefusedOnTheStockWorkerTest(RefusalTest):
    worker_class = "gthread"


if __name__ == "__main__":
    unittest.main()
