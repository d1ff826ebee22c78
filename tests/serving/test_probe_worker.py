import contextlib
import os
import resource
import select
import signal
import socket
import time
from pathlib import Path

from websockets.sync.client import connect

from app.serving.connection_table import FIRST_BYTE_SECONDS
from tests.peers.ai_service import Mode
from tests.peers.service import OddServiceTest, eventually, read_all, read_response
from tests.serving.odd_conf import BIG

WEBSOCKETS, THREADS, CONNECTIONS = 6, 4, 120
GET = b"GET /health HTTP/1.1\r\n"
PROBE = GET + b"Host: a\r\n\r\n"
STUCK = b"GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = GET + b"Host: a\r\nConnection: close\r\n\r\n"
LARGE = b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n"


class ProbeWorkerTest(OddServiceTest):
    settings = {
        "WS_MAX_CONNECTIONS": str(WEBSOCKETS),
        "HTTP_THREADS": str(THREADS),
        "CHECK_MAX_AGE_SECONDS": "0.1",
        "GUNICORN_CMD_ARGS": f"--worker-connections {CONNECTIONS}",
    }

    def setUp(self):
        self.held = self.enterContext(contextlib.ExitStack())
        eventually(lambda: self.service.json("/health")["status"] == "healthy")
        # What an earlier test has left waiting for a thread is done once a request gets one.
        eventually(lambda: self.service.get("/health/details").status == 200)

    def hold(self, count, data=b""):
        """Connections that have sent `data` and do nothing more."""
        for _ in range(count):
            sock = self.held.enter_context(self.service.connect())
            sock.sendall(data)
            yield sock

    def hold_slow(self, count, data):
        """Connections as over a network, for which the kernel keeps less of an answer, that read nothing of theirs."""
        for _ in range(count):
            sock = self.held.enter_context(socket.socket())
            sock.settimeout(10)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)
            sock.connect(("127.0.0.1", self.service.port))
            sock.sendall(data)
            yield sock

    def turned_away(self, cause):
        name = f'server_health_connections_refused_total{{cause="{cause}"}} '
        # With few threads even this request may have to be repeated.
        answer = eventually(lambda: (answer := self.service.get("/metrics")).status == 200 and answer)
        lines = answer.body.decode().splitlines()
        return next(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    def assert_probes_are_answered(self, count):
        """Each on a new connection, at once, and by turns with and without keeping it."""
        slowest = 0.0
        for number in range(count):
            began = time.monotonic()
            path = ("/health", "/health/live", "/health/ready")[number % 3]
            status, _, _ = self.service.get(path, Connection=("close", "keep-alive")[number % 2])
            slowest = max(slowest, time.monotonic() - began)
            self.assertEqual(status, 200)
        self.assertLess(slowest, 1)

    def limit_descriptors(self, pid, limit):
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limits[1]))
        restore = self.held.enter_context(contextlib.ExitStack())
        restore.callback(resource.prlimit, pid, resource.RLIMIT_NOFILE, limits)
        return restore


class TestCrowd(ProbeWorkerTest):
    """Whatever other clients do, probes are answered."""

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
        self.assertEqual(self.service.json("/health")["status"], "unhealthy")

    def test_stuck_views_leave_the_other_threads_to_the_others(self):
        list(self.hold(WEBSOCKETS + THREADS - 1, STUCK))
        self.assertEqual(self.service.get("/health/details").status, 200)

    def test_clients_that_read_nothing_hold_no_thread_and_get_their_answers_later(self):
        slow = list(self.hold_slow(WEBSOCKETS + THREADS + 2, LARGE + LAST))
        self.assertEqual(self.service.get("/health/details").status, 200)
        large, _, last = read_all(slow[0]).rpartition(b"HTTP/1.1 ")
        self.assertTrue(large.startswith(b"HTTP/1.1 200 OK") and large.endswith(b"\r\n\r\n" + bytes(BIG)))
        self.assertTrue(last.startswith(b"200 OK"), last)

    def test_the_answers_that_clients_leave_unread_are_bounded_in_total(self):
        before = self.turned_away("evicted")
        for _ in range(3):
            list(self.hold_slow(30, LARGE))
            self.assertEqual(self.service.get("/health/details").status, 200)
        self.assertGreater(self.turned_away("evicted"), before)


class TestComputing(OddServiceTest):
    """Many requests that compute, on a service with all its threads."""

    def test_hundreds_of_connections_full_of_requests_delay_no_probe(self):
        with contextlib.ExitStack() as held:
            for number in range(400):
                path = (b"/nothing", b"/metrics", b"/health/details")[number % 3]
                sock = held.enter_context(self.service.connect())
                sock.sendall(4 * (b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n"))
            slowest = 0.0
            for _ in range(40):
                began = time.monotonic()
                self.assertEqual(self.service.get("/health/live").status, 200)
                slowest = max(slowest, time.monotonic() - began)
        self.assertLess(slowest, 1.5)


class TestLimit(ProbeWorkerTest):
    """More connections than the worker has places or descriptors for."""

    settings = ProbeWorkerTest.settings | {"SOON_PLENTY": "1"}

    def test_silent_connections_make_room_the_oldest_first(self):
        before = self.turned_away("evicted")
        [first, *_] = [*self.hold(CONNECTIONS), *self.hold(CONNECTIONS // 2)]
        self.assert_probes_are_answered(60)
        self.assertEqual(first.recv(1), b"")
        self.assertGreaterEqual(self.turned_away("evicted") - before, CONNECTIONS // 2)

    def test_silent_connections_make_room_before_half_sent_ones_and_those_before_answered_ones(self):
        answered = list(self.hold(30, PROBE))
        for sock in answered:
            read_response(sock)
        half = list(self.hold(30, GET))
        silent = list(self.hold(30))
        older = time.monotonic() + FIRST_BYTE_SECONDS
        eventually(lambda: time.monotonic() > older)
        list(self.hold(55))
        self.assertEqual([sock.recv(1) for sock in silent[:20]], [b""] * 20)
        list(self.hold(65, GET))
        self.assertEqual(half[0].recv(1), b"")
        for sock in answered:
            sock.sendall(PROBE)
            self.assertIn(b"200 OK", read_response(sock)[0])

    def test_a_queue_of_requests_leaves_places_free_and_the_rest_is_answered_503(self):
        sent = list(self.hold(CONNECTIONS - 10, STUCK))
        self.assertIn(b" 503 SERVICE UNAVAILABLE\r\n", read_response(sent[-1])[0])
        self.assert_probes_are_answered(60)

    def test_without_a_free_descriptor_silent_connections_make_room_too(self):
        pid = self.service.worker_pid
        self.limit_descriptors(pid, len(os.listdir(f"/proc/{pid}/fd")) + 20)
        list(self.hold(40))
        self.assert_probes_are_answered(30)
        self.assertTrue(self.service.wait_for_line("no room for new connections (Too many open files)"))

    def test_without_a_descriptor_and_anything_to_close_the_loop_pauses_until_there_is_one(self):
        restore = self.limit_descriptors(self.service.worker_pid, 10)
        waiting = list(self.hold(3, PROBE))
        self.assertTrue(self.service.wait_for_line("no room for new connections"))
        used, began = self.processor_seconds(), time.monotonic()
        eventually(lambda: time.monotonic() > began + 1.5)
        self.assertLess(self.processor_seconds() - used, 0.75)
        restore.close()
        for sock in waiting:
            self.assertIn(b"200 OK", read_response(sock)[0])
        self.assertTrue(self.service.wait_for_line("there has been room for every new connection"))

    def processor_seconds(self):
        fields = Path(f"/proc/{self.service.worker_pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

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
        eventually(lambda: self.service.json("/health/details")["connections"]["inbound"]["open"] == 0)


class TestParked(ProbeWorkerTest):
    """Probes that wait for a check that hangs, in all places there are."""

    settings = ProbeWorkerTest.settings | {"PROBE_WAIT_SECONDS": "2", "CHECK_TIMEOUT_SECONDS": "2"}

    def test_waiting_probes_make_room_while_they_wait_and_afterwards(self):
        self.ai_service.mode = Mode.MUTE
        self.addCleanup(setattr, self.ai_service, "mode", Mode.OK)
        eventually(lambda: self.service.json("/health")["status"] == "unhealthy")
        eventually(lambda: not select.select(self.hold(1, PROBE), [], [], 0.1)[0])  # the next check has begun
        waiting = list(self.hold(CONNECTIONS + 20, PROBE))
        self.assertEqual(self.service.get("/health/live").status, 200)
        select.select(waiting[-1:], [], [], 10)
        self.assertEqual(self.service.get("/health/live").status, 200)


class TestFewThreads(ProbeWorkerTest):
    """A machine that has three threads left when the worker's loop starts, and no TCP_USER_TIMEOUT."""

    settings = ProbeWorkerTest.settings | {"FEW_THREADS": "3", "NO_USER_TIMEOUT": "1"}

    def test_requests_that_get_no_thread_are_refused_until_there_are_threads_again(self):
        worker = self.service.worker_pid
        self.assertTrue(self.service.wait_for_line("only 3 of 10 threads can be had for requests"))
        before = self.turned_away("busy")
        stuck = []

        def every_thread_is_stuck():
            stuck.extend(self.hold(1, STUCK))  # refused if the thread of the last request is not free again yet
            return self.service.get("/health/details").status == 503

        eventually(every_thread_is_stuck)
        self.assert_probes_are_answered(30)
        for sock in stuck:
            sock.close()
        eventually(lambda: self.service.get("/threads/1000.0").status == 200)
        self.assertGreater(self.turned_away("busy"), before)
        list(self.hold(WEBSOCKETS + THREADS - 2, STUCK))
        eventually(lambda: self.service.get("/health/details").status == 200)
        self.assertEqual(self.service.worker_pid, worker)
        self.service.get("/threads/0.0")
        self.service.signal(signal.SIGTERM)
        self.assertEqual(self.service.wait(), 0, self.service.log)


del ProbeWorkerTest, OddServiceTest
