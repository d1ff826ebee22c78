import contextlib
import os
import resource
import time

from websockets.sync.client import connect

from tests.peers.ai_service import Mode
from tests.peers.service import eventually
from tests.serving.served import ServedTest, read_response

WEBSOCKETS, THREADS, CONNECTIONS = 6, 4, 120
GET = b"GET /health HTTP/1.1\r\n"
STUCK = b"GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n"


class ProbeWorkerTest(ServedTest):
    settings = {
        "WS_MAX_CONNECTIONS": str(WEBSOCKETS),
        "HTTP_THREADS": str(THREADS),
        "CHECK_MAX_AGE_SECONDS": "0.1",
        "GUNICORN_CMD_ARGS": f"--worker-connections {CONNECTIONS}",
    }

    def setUp(self):
        self.held = self.enterContext(contextlib.ExitStack())
        eventually(lambda: self.service.json("/health")["status"] == "healthy")

    def hold(self, count, data=b""):
        """Connections that have sent `data` and do nothing more."""
        for _ in range(count):
            sock = self.held.enter_context(self.service.connect())
            sock.sendall(data)
            yield sock

    def inbound(self):
        return self.service.json("/health/details")["connections"]["inbound"]

    def assert_probes_are_answered(self, count):
        """Each on a new connection, at once, fresh, and by turns with and without keeping it."""
        took = []
        for number in range(count):
            began = time.monotonic()
            path = ("/health", "/health/live", "/health/ready")[number % 3]
            status, _, _ = self.service.get(path, Connection=("close", "keep-alive")[number % 2])
            took.append(time.monotonic() - began)
            self.assertEqual(200, status)
        self.assertLess(sorted(took)[count // 2], 0.05)
        self.assertLess(max(took), 0.25)


class TestCrowd(ProbeWorkerTest):
    """What else clients do."""

    def test_nothing_crowds_a_probe_out(self):
        for _ in range(WEBSOCKETS):
            self.held.enter_context(connect(f"ws://127.0.0.1:{self.service.port}/ws")).recv(10)
        list(self.hold(THREADS, STUCK))
        list(self.hold(30))
        list(self.hold(30, GET + b"Host"))
        for sock in self.hold(20, GET + b"Host: a\r\nConnection: close\r\n\r\n"):
            read_response(sock)
        self.assert_probes_are_answered(150)

    def test_a_lone_probe_gets_a_fresh_answer_with_every_thread_stuck(self):
        list(self.hold(WEBSOCKETS + THREADS, STUCK))
        self.ai_service.mode = Mode.STATUS_503
        self.addCleanup(setattr, self.ai_service, "mode", Mode.OK)
        older = time.monotonic() + 0.5
        eventually(lambda: time.monotonic() > older)
        self.assertEqual("unhealthy", self.service.json("/health")["status"])


class TestLimit(ProbeWorkerTest):
    """More connections than the worker has places for."""

    def test_silent_connections_make_room_the_oldest_first(self):
        before = self.inbound()["refused"]
        [first, *_] = [*self.hold(CONNECTIONS), *self.hold(CONNECTIONS // 2, GET)]
        self.assert_probes_are_answered(60)
        self.assertEqual(b"", first.recv(1))
        self.assertGreaterEqual(self.inbound()["refused"] - before, CONNECTIONS // 2)

    def test_a_queue_of_requests_leaves_places_free_and_is_told_to_come_again(self):
        sent = list(self.hold(CONNECTIONS - 10, STUCK))
        self.assertIn(b" 503 SERVICE UNAVAILABLE\r\n", read_response(sent[-1])[0])
        self.assert_probes_are_answered(60)

    def test_without_descriptors_left_silent_connections_make_room_too(self):
        pid = self.service.worker_pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        self.addCleanup(resource.prlimit, pid, resource.RLIMIT_NOFILE, limits)
        few = len(os.listdir(f"/proc/{pid}/fd")) + 20
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, limits[1]))
        list(self.hold(40))
        self.assert_probes_are_answered(30)
        self.assertEqual(1, self.service.log.count("closing idle connections to accept new ones"))

    def test_connections_that_end_in_whatever_way_are_counted_off(self):
        """More of each than there are places: one miscounted each time would take all of them."""
        for number in range(2 * CONNECTIONS):
            ending = number % 4
            if ending == 0:
                with connect(f"ws://127.0.0.1:{self.service.port}/ws") as websocket:
                    websocket.recv(10)
            elif ending == 1:
                next(self.hold(1, b"nonsense\r\n")).close()
            elif ending == 2:
                next(self.hold(1, GET)).close()
            else:
                self.service.get("/end/exit")
        self.assert_probes_are_answered(30)
        eventually(lambda: self.inbound()["open"] == 0)


del ProbeWorkerTest, ServedTest
