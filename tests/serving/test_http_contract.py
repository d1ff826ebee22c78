import email.utils
import itertools
import json
import re
import time
import unittest

from tests.peers.ai_service import Mode
from tests.peers.service import OddServiceTest, eventually, read_all, read_response

PROBES = ("/health", "/health/live", "/health/ready")
# A field that changes no answer, but keeps the request out of the lane.
ORDINARY = "Content-Type: text/plain\r\n"


class HttpContract:
    """Holds on every worker class."""

    settings = {"READINESS_REQUIRES": "ai_service", "CHECK_MAX_AGE_SECONDS": "0.1", "PROBE_WAIT_SECONDS": "0.25"}

    def setUp(self):
        self.ai_service.mode = Mode.OK
        eventually(lambda: self.service.json("/health")["status"] == "healthy")

    def be_unhealthy(self):
        self.ai_service.mode = Mode.STATUS_503
        eventually(lambda: self.service.json("/health")["status"] == "unhealthy")

    def test_health_has_the_five_fields_and_the_time_of_the_answer(self):
        before = int(time.time() * 1000)
        status, headers, body = self.service.get("/health")
        answer = json.loads(body)
        self.assertEqual(list(answer), ["status", "timestamp", "version", "service", "dependencies"])
        self.assertEqual(answer["dependencies"], {"ai_service": "connected", "mongodb": "connected"})
        self.assertTrue(before <= answer["timestamp"] <= time.time() * 1000)
        self.assertEqual(200, status)
        self.assertEqual((headers["content-type"], headers["cache-control"]), ("application/json", "no-store"))

    def test_a_lost_dependency_is_reported_by_status_code_and_by_name(self):
        self.be_unhealthy()
        status, _, body = self.service.get("/health")
        self.assertEqual((status, json.loads(body)["dependencies"]["ai_service"]), (503, "disconnected"))
        status, _, body = self.service.get("/health/ready")
        self.assertEqual((status, json.loads(body)), (503, {"status": "not ready", "missing": ["ai_service"]}))
        self.assertEqual(self.service.get("/health/live")[0], 200)

    def test_a_lone_probe_gets_a_fresh_answer(self):
        self.service.get("/health")
        checked = self.service.json("/health/details")["checks"]["ai_service"]["checked_at"]
        eventually(lambda: time.time() * 1000 > checked + 500)
        asked = int(time.time() * 1000)
        self.assertEqual(self.service.json("/health")["status"], "healthy")
        self.assertGreaterEqual(self.service.json("/health/details")["checks"]["ai_service"]["checked_at"], asked - 1)
        self.assertLess(checked, asked)

    def test_the_lane_and_the_blueprint_give_the_same_answers_header_for_header(self):
        for make in (lambda: None, self.be_unhealthy):
            make()
            for method, path, minor, connection in itertools.product(
                ("GET", "HEAD"), PROBES, (0, 1), ("", "Connection: close\r\n", "Connection: keep-alive\r\n")
            ):
                line = f"{method} {path} HTTP/1.{minor}\r\n"
                with self.subTest(line, connection=connection):
                    one, other = (self.ask(f"{line}Host: a\r\n{connection}{field}\r\n") for field in ("", ORDINARY))
                    self.assertEqual(*map(masked, (one, other)))
                    for answer in (one, other):
                        date = email.utils.parsedate_to_datetime(re.search(rb"Date: ([^\r]*)", answer)[1].decode())
                        self.assertLess(abs(date.timestamp() - time.time()), 3)

    def ask(self, request):
        """Everything that comes back; on a connection that is kept, one answer, and the next request works too."""
        with self.service.connect() as sock:
            sock.sendall(request.encode())
            if b"keep-alive" in (answer := sock.recv(65536)).partition(b"\r\n\r\n")[0]:
                sock.sendall(b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                self.assertIn(b"alive", rest := read_all(sock))
                return answer + rest.partition(b"HTTP/1.1 200 OK")[0]
            return answer + read_all(sock)

    def test_a_connection_serves_probes_and_others_in_turn(self):
        with self.service.connect() as sock:
            for path in ("/health", "/health/details", "/health/live", "/nothing", "/health/ready", "/health"):
                sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                head, _ = read_response(sock)
                self.assertTrue(head.startswith(b"HTTP/1.1 404" if path == "/nothing" else b"HTTP/1.1 200"), head)

    def test_pipelined_requests_are_answered_in_order(self):
        paths = ("/health/live", "/nothing", "/health/ready", "/health/live")
        requests = "".join(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n" for path in paths)
        last = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        received = self.service.send((requests + last).encode())
        self.assertEqual(
            re.findall(rb"HTTP/1.1 ([^\r]*)\r\n", received),
            [b"200 OK", b"404 NOT FOUND", b"200 OK", b"200 OK", b"200 OK"],
        )

    def test_errors_are_problem_json_and_a_crash_ends_nothing_but_its_request(self):
        worker = self.service.worker_pid
        for path, status, title in (
            ("/nothing", 404, "Not Found"),
            *((f"/end/{how}", 500, "Internal server error") for how in ("crash", "exit", "interrupt", "close")),
        ):
            with self.subTest(path):
                got, headers, body = self.service.get(path)
                self.assertEqual((got, headers["content-type"]), (status, "application/problem+json"))
                self.assertEqual(json.loads(body), {"type": "about:blank", "title": title, "status": status})
        self.assertEqual(self.service.get("/health", "POST")[0], 405)
        self.assertEqual(worker, self.service.worker_pid)

    def test_a_request_with_a_body_is_the_last_on_its_connection(self):
        answer = self.service.send(b"GET /health/live HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12", end=True)
        self.assertIn(b"\r\nConnection: close\r\n", answer)
        self.assertIn(b'{"status":"alive"}', answer)

    def test_a_request_for_fresh_checks_gets_them(self):
        asked = int(time.time() * 1000)
        self.assertEqual(self.service.get("/health", Cache_Control="no-cache")[0], 200)
        self.assertGreaterEqual(self.service.json("/health/details")["checks"]["ai_service"]["checked_at"], asked - 1)


class TestOnTheProbeWorker(HttpContract, OddServiceTest):
    """The contract, on the probe worker."""

    def test_an_idle_connection_is_kept_and_a_silent_one_holds_no_thread(self):
        """The stock worker keeps its 2 s here, and holds a thread for each new silent connection."""
        with self.service.connect() as idle, self.service.connect(2.3) as silent:
            idle.sendall(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
            read_response(idle)
            with self.assertRaises(TimeoutError):
                silent.recv(1)
            idle.sendall(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertIn(b"200 OK", read_response(idle)[0])


class TestOnGthread(HttpContract, OddServiceTest):
    """The contract, on gunicorn's own threaded worker."""

    worker_class = "gthread"


def masked(answer):
    """Without what differs from one moment to the next."""
    return re.sub(rb'Date: [^\r]*|"timestamp":\d*', b"-", answer)


if __name__ == "__main__":
    unittest.main()
