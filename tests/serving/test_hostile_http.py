import json
import re
import socket
import threading
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.serving import clients
from tests.peers.service import OddServiceTest, read_all, read_response

GET = b"GET /health HTTP/1.1\r\n"
HOST = b"Host: a\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

# name -> the bytes, and the status codes of a sane answer (None: no answer)
HOSTILE = {
    "length and chunked": (GET + HOST + b"Content-Length: 3\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + NEXT, [400]),
    "two lengths": (GET + HOST + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + NEXT, [400]),
    "a list of lengths": (GET + HOST + b"Content-Length: 0, 5\r\n\r\n" + NEXT, [400]),
    "a signed length": (GET + HOST + b"Content-Length: +5\r\n\r\n" + NEXT, [400]),
    "a length that hides a request": (GET + HOST + b"Content-Length: %d\r\n\r\n" % len(NEXT) + NEXT, [200, 503]),
    "an unknown coding": (GET + HOST + b"Transfer-Encoding: xchunked\r\n\r\n" + NEXT, [501]),
    "chunked, spelt with a tab": (GET + HOST + b"Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n", [200, 503]),
    "chunked twice": (GET + HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + NEXT, [400]),
    "chunked in HTTP/1.0": (b"GET /health HTTP/1.0\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + NEXT, [400]),
    "a malformed chunk": (GET + HOST + CHUNKED + b"\r\nzz\r\n" + NEXT, [200, 503]),
    "a chunk that is no end": (GET + HOST + CHUNKED + b"\r\n5\r\nab", [200, 503]),
    "a space before the colon": (GET + HOST + b"Content-Length : 5\r\n\r\n" + NEXT, [400]),
    "a folded field": (GET + HOST + b"X: a\r\n b\r\n\r\n", [400]),
    "a bare LF": (GET + b"Host: a\nX: b\r\n\r\n", [400]),
    "a bare CR": (GET + b"Host: a\rX: b\r\n\r\n", [400]),
    "only LFs": (b"GET /health HTTP/1.1\nHost: a\n\n", [400]),
    "a NUL in a value": (GET + b"Host: a\x00b\r\n\r\n", [400]),
    "a NUL in the target": (b"GET /hea\x00lth HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "two hosts": (GET + HOST + HOST + b"\r\n", [400]),
    "HTTP/0.9": (b"GET /health\r\n", [400]),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    "HTTP/9.9": (b"GET /health HTTP/9.9\r\nHost: a\r\n\r\n", [400]),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40) + b"\n", [400]),
    "an unknown method": (b"BREW /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", [405]),
    "a method in lower case": (b"get /health HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "CONNECT": (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT, [400, 404, 405]),
    "TRACE": (b"TRACE /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", [405]),
    "an asterisk": (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "dots": (b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", [404]),
    "two slashes": (b"GET //health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", [200, 301, 308, 404, 503]),
    "a long target": (b"GET /" + 5000 * b"a" + b" HTTP/1.1\r\nHost: a\r\n\r\n", [414]),
    "a long field": (GET + HOST + b"X: " + 9000 * b"a" + b"\r\n\r\n", [431]),
    "many fields": (GET + HOST + 120 * b"X: a\r\n" + b"\r\n", [431]),
    "an expectation that cannot be met": (GET + HOST + b"Expect: tea\r\n\r\n", [417]),
    "Upgrade to a WebSocket where there is none": (
        GET + HOST + b"Connection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n",
        [400],
    ),
    "Upgrade to HTTP/2": (
        GET + HOST + b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
        [200, 503],
    ),
    "a path by header": (GET + HOST + b"SCRIPT_NAME: /health\r\nConnection: close\r\n\r\n", [200, 503]),
    "empty lines, then nothing": (b"\r\n\r\n", [400]),
    "an end before the head's": (GET + b"Host: a", [None]),
}


class HostileHttp:
    """Holds on every worker class."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.worker = cls.service.worker_pid

    def assert_unharmed(self):
        self.assertEqual(self.service.json("/health/live"), {"status": "alive"})
        self.assertEqual(self.worker, self.service.worker_pid)
        self.assertNotIn("Traceback", self.service.log)
        self.assertNotIn("panic", self.service.log)

    def test_each_hostile_request_gets_one_sane_answer_or_none(self):
        for name, (data, expected) in HOSTILE.items():
            with self.subTest(name):
                answer = self.service.send(data, end=True)
                statuses = [int(status) for status in re.findall(rb"HTTP/1\.\d (\d{3}) ", answer)] or [None]
                self.assertEqual(len(statuses), 1, answer)
                self.assertIn(statuses[0], expected, answer)
                self.assertNotIn(b"smuggled", answer)
                self.assertNotIn(b"<html", answer)
                if statuses[0] and statuses[0] >= 400 and statuses[0] != 503:
                    self.assertEqual(statuses[0], json.loads(answer.partition(b"\r\n\r\n")[2])["status"])
        self.assert_unharmed()

    def test_an_expectation_that_can_be_met_is_met_once(self):
        answer = self.service.send(GET + HOST + b"Expect: 100-continue\r\nConnection: close\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 "), answer)
        self.assertEqual(answer.count(b"HTTP/1.1 "), 2)

    def test_a_half_closed_client_gets_its_answer(self):
        for path in (b"/health", b"/health/details"):
            answer = self.service.send(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path, end=True)
            self.assertEqual(answer.count(b"HTTP/1.1 "), 1, answer)
            self.assertIn(b"dependencies", answer)

    def test_a_client_that_resets_at_any_moment_does_no_harm(self):
        for data in (b"", b"GET", GET + HOST, GET + HOST + b"\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"):
            with self.service.connect() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                sock.sendall(data)
        self.assert_unharmed()

    # One test for two classes, each with a service of its own.
    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(
        st.lists(
            st.sampled_from(
                [
                    b"GET ",
                    b"/health",
                    b" HTTP/1.1",
                    b"\r\n",
                    b"\n",
                    b"\r",
                    b"Host: a",
                    b"Connection: close",
                    b": ",
                    b"\x00",
                    b"\xff",
                    b"Content-Length: 1",
                    b"Transfer-Encoding: chunked",
                    b"0\r\n\r\n",
                    b" ",
                    b"POST ",
                ]
            ),
            max_size=14,
        ).map(b"".join)
    )
    def test_any_bytes_are_answered_or_the_connection_is_closed(self, data):
        answer = self.service.send(data, end=True)
        self.assertTrue(answer == b"" or answer.startswith(b"HTTP/1."), answer)
        self.assertEqual(self.service.json("/health/live"), {"status": "alive"})


class TestProbeWorkerIsUnharmed(HostileHttp, OddServiceTest):
    """Hostile clients of the probe worker, its limits of 10 s made shorter."""

    settings = {"QUICK": "1"}

    def test_an_endless_head_is_refused_at_a_bounded_size(self):
        for start, status in ((b"GET /", b"414"), (GET + b"X: ", b"431")):
            with self.subTest(status), self.service.connect() as sock:
                sock.sendall(start + (clients.HEAD_BYTES + 1) * b"a")
                self.assertIn(status, read_response(sock)[0])

    def test_a_head_that_arrives_byte_by_byte_is_answered(self):
        for path in (b"/health", b"/nothing"):
            with self.service.connect() as sock:
                for byte in b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path:
                    sock.sendall(bytes([byte]))
                self.assertEqual(read_all(sock).count(b"HTTP/1.1 "), 1)

    def test_half_a_head_gets_408_when_its_time_is_over_and_silence_nothing(self):
        with self.service.connect() as silent, self.service.connect() as half, self.service.connect() as kept:
            kept.sendall(GET + HOST + b"\r\n")
            read_response(kept)
            kept.sendall(GET)
            half.sendall(GET + b"Host")
            for sock in (half, kept):
                self.assertIn(b" 408 REQUEST TIMEOUT\r\n", read_response(sock)[0])
            self.assertEqual(silent.recv(1), b"")

    def test_a_client_that_never_reads_its_answers_is_dropped(self):
        with self.service.connect() as sock, self.assertRaises(ConnectionError):
            while True:
                sock.sendall(b"GET /health/details HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assert_unharmed()

    def test_a_correct_probe_beside_them_never_waits(self):
        stop = threading.Event()

        def attack():
            while not stop.is_set():
                for data, _ in HOSTILE.values():
                    self.service.send(data, timeout=0.05)

        attackers = [threading.Thread(target=attack, daemon=True) for _ in range(4)]
        for attacker in attackers:
            attacker.start()
        slowest = 0.0
        for _ in range(100):
            began = time.monotonic()
            self.assertEqual(self.service.json("/health/live"), {"status": "alive"})
            slowest = max(slowest, time.monotonic() - began)
        stop.set()
        for attacker in attackers:
            attacker.join()
        self.assertLess(slowest, 2)
        self.assert_unharmed()


class TestGthreadIsUnharmed(HostileHttp, OddServiceTest):
    """Hostile clients of gunicorn's own threaded worker."""

    worker_class = "gthread"
