"""Shutting down, step by step, and for real: gunicorn's processes, their signals, and their clients at that moment."""

import functools
import json
import os
import pathlib
import signal
import threading
import time
import unittest
from unittest import mock

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from app.serving.shutdown import Order, Shutdown
from tests.peers.ai_service import FaultyAiService, Mode
from tests.peers.service import OddService, eventually, read_all, read_response

GET = "GET %s HTTP/1.1\r\nHost: a\r\n\r\n"
DRAIN, SHUTDOWN = 2.0, 10.0
# The limits are for a machine of one's own; other work may be going on on this one.
SLACK = 5.0


class FakeRuntime:
    """Notes the calls of its methods; those in `broken` raise."""

    def __init__(self, broken=()):
        self.calls = []
        for name in ("begin_drain", "close_sockets", "stop"):
            setattr(self, name, functools.partial(self._call, name, name in broken))
            getattr(self, name).__name__ = name

    def _call(self, name, broken):
        self.calls.append(name)
        if broken:
            raise ValueError(name)


class FakeWorker:
    """A worker whose loop is the runtime's list of calls."""

    def __init__(self, runtime):
        self.alive, self.ppid, self.nr_conns, self.method_queue = True, os.getppid(), 0, self
        self._calls = runtime.calls

    def defer(self, callback, worker):
        assert worker is self
        self._calls.append(callback.__name__)


class TestSteps(unittest.TestCase):
    """The steps, in the test's own thread."""

    ALL = ["begin_drain", "close_sockets", "stop_serving", "stop"]

    def shut_down(self, *orders, patience=0.01, broken=(), **worker):
        """The exit status of a shutdown that finds these orders in its queue."""
        self.runtime = FakeRuntime(broken)
        self.worker = FakeWorker(self.runtime)
        vars(self.worker).update(worker)
        exits = []
        shutdown = Shutdown(self.worker, self.runtime, 0.02, patience, exits.append)
        for order in orders:
            shutdown.order(order)
        shutdown.run()
        [status] = exits
        return status

    def test_each_order_to_shut_down_is_carried_out_step_by_step(self):
        for orders in ([Order.DRAIN], [Order.QUIT], [Order.DRAIN, Order.QUIT], [Order.DRAIN] * 3):
            with self.subTest(orders):
                self.assertEqual(self.shut_down(*orders), 0)
                self.assertEqual(self.runtime.calls, self.ALL)

    def test_a_worker_that_stops_by_itself_or_has_lost_its_master_shuts_down(self):
        for state in ({"alive": False}, {"ppid": -1}):
            with self.subTest(state):
                self.assertEqual(self.shut_down(**state), 0)
                self.assertEqual(self.runtime.calls, self.ALL)

    def test_a_hurried_shutdown_waits_for_nothing(self):
        began = time.monotonic()
        self.shut_down(Order.DRAIN, Order.QUIT, patience=60)
        self.shut_down(Order.QUIT, patience=60)
        self.assertLess(time.monotonic() - began, 30)

    def test_connections_that_remain_are_cut_and_logged(self):
        with self.assertLogs("app.serving.shutdown", "WARNING") as logged:
            self.shut_down(Order.DRAIN, nr_conns=3)
        self.assertEqual([record.getMessage() for record in logged.records], ["cutting off 3 connections"])

    def test_a_worker_that_ends_without_an_order_keeps_its_exit_status(self):
        runtime = FakeRuntime()
        exits = []
        shutdown = Shutdown(FakeWorker(runtime), runtime, 0, 0, exits.append)
        shutdown.ended(3)
        shutdown.run()
        self.assertEqual((exits, runtime.calls), ([3], ["stop"]))

    def test_a_step_that_fails_is_logged_and_holds_up_nothing(self):
        steps = ("begin_drain", "close_sockets", "stop")
        for start in (threading.Thread.start, mock.Mock(side_effect=RuntimeError("can't start new thread"))):
            with mock.patch("threading.Thread.start", start), self.assertLogs("app.serving.shutdown") as logged:
                self.assertEqual(self.shut_down(Order.DRAIN, broken=steps), 0)
            self.assertEqual(
                [record.getMessage() for record in logged.records], [f"shutting down: {step} failed" for step in steps]
            )
            self.assertEqual(self.runtime.calls, self.ALL)

    def test_a_step_that_gets_no_thread_is_taken_without_one(self):
        with mock.patch("threading.Thread.start", side_effect=RuntimeError("can't start new thread")):
            self.assertEqual(self.shut_down(Order.DRAIN), 0)
        self.assertEqual(self.runtime.calls, self.ALL)


class ShutdownTest:
    """What holds on every worker class."""

    @classmethod
    def setUpClass(cls):
        cls.ai_service = cls.enterClassContext(FaultyAiService())
        # A process shuts down only once; they all start at the same time.
        drain = {"DRAIN_SECONDS": str(DRAIN), "SHUTDOWN_TIMEOUT_SECONDS": str(SHUTDOWN)}
        cls.services = {
            "term": cls.start(**drain),
            "idle": cls.start(),
            "stuck": cls.start(SHUTDOWN_TIMEOUT_SECONDS="0.4"),
            "int": cls.start(**drain),
            "quit": cls.start(DRAIN_SECONDS="30"),
        }

    @classmethod
    def start(cls, **environment):
        service = OddService(
            WORKER_CLASS=cls.worker_class, AI_SERVICE_URL=cls.ai_service.url, wait=False, **environment
        )
        cls.addClassCleanup(service.close)
        return service

    def use(self, name):
        self.service = self.services[name]
        self.service.wait_until_alive()
        return self.service

    def websocket(self):
        websocket = self.enterContext(connect(f"ws://127.0.0.1:{self.service.port}/ws"))
        websocket.recv(10)
        return websocket

    def begin(self, path):
        """A connection with a request under way."""
        sock = self.enterContext(self.service.connect())
        sock.sendall((GET % path).encode())
        return sock

    def assert_gone(self, since, seconds):
        """It ends within `seconds` of `since`, as it should, and nothing of it remains."""
        self.assertEqual(self.service.wait(seconds + 10), 0, self.service.log)
        self.assertLess(time.monotonic() - since, seconds + SLACK)
        for bad in ("Traceback", "WORKER TIMEOUT", "SIGKILL", "ERROR", "CRITICAL"):
            self.assertNotIn(bad, self.service.log)
        with self.assertRaises(ConnectionRefusedError):
            self.service.connect()

    def assert_going_away(self, websocket):
        """A WebSocket was closed with 1001, going away."""
        with self.assertRaises(ConnectionClosed) as closed:
            while True:
                websocket.recv(10)
        self.assertEqual(closed.exception.rcvd and closed.exception.rcvd.code, 1001)

    def test_sigterm_drains_then_closes_then_waits_for_requests_in_flight(self):
        service = self.use("term")
        websockets = [self.websocket() for _ in range(5)]
        in_flight = [self.begin(f"/slow/{DRAIN + 1.0}") for _ in range(3)]
        idle = self.begin("/health/live")
        read_response(idle)
        self.ai_service.mode = Mode.MUTE  # the check under way from now on hangs
        self.addCleanup(setattr, self.ai_service, "mode", Mode.OK)
        began = time.monotonic()
        service.signal(signal.SIGTERM)
        eventually(lambda: service.get("/health/ready").status == 503)
        service.signal(signal.SIGTERM)
        idle.sendall((GET % "/health/live").encode())
        self.assertIn(b"\r\nConnection: close\r\n", read_all(idle))
        idle.close()  # or gunicorn's own worker waits for that, and does nothing else
        answers = [service.get(path) for path in ("/health/ready", "/health", "/health/live", "/health/details")]
        answers += [service.get(path, Content_Type="x/y") for path in ("/health/ready", "/health", "/health/live")]
        self.assertLess(time.monotonic() - began, DRAIN, "too slow a machine: the drain was over")
        self.assertEqual(json.loads(answers[0][2]), {"status": "draining", "missing": []})
        self.assertEqual([status for status, _, _ in answers], [503, 200, 200, 200, 503, 200, 200])
        self.assertEqual({headers["connection"] for _, headers, _ in answers}, {"close"})
        for websocket in websockets:
            self.assert_going_away(websocket)
        told = time.monotonic() - began
        self.assertTrue(DRAIN - 0.1 < told < DRAIN + 1 + SLACK, told)
        eventually(lambda: refused(service), 1)  # with requests in flight
        for sock in in_flight:
            head, body = read_response(sock)
            self.assertEqual((head.split(b"\r\n")[0], body), (b"HTTP/1.1 200 OK", b"slept"))
        self.assert_gone(began, DRAIN + 1.0 + 1)

    def test_without_anything_in_flight_it_is_gone_at_once(self):
        self.use("idle")
        read_response(self.begin("/health/details"))  # and stays open
        began = time.monotonic()
        self.service.signal(signal.SIGTERM)
        self.assert_gone(began, 1)

    def test_a_request_that_does_not_end_is_cut(self):
        self.use("stuck")
        sock = self.begin("/stuck")
        self.service.get("/health/details")
        began = time.monotonic()
        self.service.signal(signal.SIGTERM)
        self.assert_gone(began, 0.4 + 1)
        self.assertIn("WARN: ", self.service.log)
        self.assertIn("cutting off 1 connection", self.service.log)
        self.assertEqual(read_all(sock), b"")

    def test_control_c_in_a_terminal_closes_sockets_and_is_quick_whatever_is_stuck(self):
        self.use("int")
        websocket = self.websocket()
        self.begin("/stuck")
        self.service.get("/health/details")
        began = time.monotonic()
        os.killpg(self.service.process.pid, signal.SIGINT)
        self.assert_going_away(websocket)
        self.assert_gone(began, 1)

    def test_sigquit_in_the_middle_of_a_drain_ends_it(self):
        self.use("quit")
        websocket = self.websocket()
        self.service.signal(signal.SIGTERM)
        eventually(lambda: self.service.get("/health/ready").status == 503)
        began = time.monotonic()
        self.service.signal(signal.SIGQUIT)
        self.assert_going_away(websocket)
        self.assert_gone(began, 1)


class TestProbeWorkerShutsDown(ShutdownTest, unittest.TestCase):
    """Signals to the service, on the probe worker."""

    worker_class = "probe"


class TestGthreadShutsDown(ShutdownTest, unittest.TestCase):
    """Signals to the service, on gunicorn's own threaded worker."""

    worker_class = "gthread"


class TestMasterAndWorker(unittest.TestCase):
    """Signals to one of the two, and a worker that ends by itself."""

    def test_the_number_of_processes_stays_what_it_is(self):
        service = self.enterContext(OddService())
        for number in (signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR2):
            service.signal(number)
            os.kill(service.worker_pid, number)
            self.assertTrue(service.wait_for_line(f"{number.name} is ignored"))
        self.assertEqual(len([line for line in service.lines if "WARN: " in line and "is ignored" in line]), 4)
        self.assertEqual(service.log.count("Booting worker"), 1)
        for number in (signal.SIGKILL, signal.SIGTERM):
            with self.subTest("a worker that ends is replaced", signal=number):
                before = service.worker_pid
                os.kill(before, number)
                eventually(lambda before=before: children(service) not in ([], [before]))
                service.wait_until_alive()
        self.assertNotIn("Traceback", service.log)

    def test_a_worker_after_its_last_request_closes_its_websockets(self):
        service = self.enterContext(OddService("--max-requests", "3"))
        with connect(f"ws://127.0.0.1:{service.port}/ws") as websocket:
            websocket.recv(10)
            for _ in range(2):
                service.get("/health/details")
            began = time.monotonic()
            with self.assertRaises(ConnectionClosed) as closed:
                while True:
                    websocket.recv(10)
        self.assertEqual(closed.exception.rcvd.code, 1001)
        eventually(lambda: service.log.count("Booting worker") == 2)
        self.assertLess(time.monotonic() - began, 3)

    def test_a_worker_whose_master_has_gone_shuts_down(self):
        service = self.enterContext(OddService())
        worker = service.worker_pid
        with connect(f"ws://127.0.0.1:{service.port}/ws") as websocket:
            websocket.recv(10)
            service.signal(signal.SIGKILL)
            service.process.wait()
            with self.assertRaises(ConnectionClosed):
                while True:
                    websocket.recv(10)
        eventually(lambda: ended(worker))
        self.assertTrue(refused(service))


def ended(pid):
    """Whether a process is gone, or waits for its new parent to notice."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def children(service):
    pid = service.process.pid
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def refused(service):
    """Whether nothing listens any more."""
    try:
        service.connect().close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass  # closed just now, with this connection in its queue
    return False
