"""The whole service against real dependencies that fail in every way, watched by probes all the time."""

import contextlib
import itertools
import json
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

from tests.peers.ai_service import FaultyAiService, Mode
from tests.peers.mongo import Nx27017
from tests.peers.service import Service, eventually

TIMEOUT, MAX_AGE, PROBE_WAIT = 1.5, 0.2, 0.1
SETTINGS = {
    "CHECK_TIMEOUT_SECONDS": TIMEOUT,
    "CHECK_INTERVAL_SECONDS": 1,
    "CHECK_MAX_AGE_SECONDS": MAX_AGE,
    "PROBE_WAIT_SECONDS": PROBE_WAIT,
}
# What the contract promises, after the fault's beginning and after its end...
REFUSED, HUNG, BACK, BACK_AFTER_HANG = MAX_AGE + 0.3, MAX_AGE + TIMEOUT + 0.3, MAX_AGE + 0.5, MAX_AGE + TIMEOUT + 0.5
MONGODB_REFUSED = REFUSED + 1
# ...and what a busy machine may add.
SLACK = 1.5
# A probe that a hung dependency held would take TIMEOUT.
SLOWEST_PROBE = PROBE_WAIT + 1.0

PASSWORD, MEANT = "hunter2%2Fx%22y", 'hunter2/x"y'
TOKEN = "hunter2-token"


# Clients in a process of their own, so that they do not slow the dependency's stand-in down. Prints how many answers
# there were by status code.
LOAD = """
import collections, http.client, json, sys, threading
port, probes, fresh = map(int, sys.argv[1:])
answers = collections.Counter()
lock = threading.Lock()

def ask(number, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(number):
        connection.request("GET", "/health", headers=headers)
        response = connection.getresponse()
        response.read()
        with lock:
            answers[response.status] += 1
    connection.close()

threads = [threading.Thread(target=ask, args=(probes // 8, {})) for _ in range(8)]
threads += [threading.Thread(target=ask, args=(fresh // 20, {"Cache-Control": "no-cache"})) for _ in range(20)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(answers))
"""


class Watcher:
    """Probes a service all the time, as an orchestrator does; keeps every answer's time, and the last one."""

    def __init__(self, service):
        self._service = service
        self._over = threading.Event()
        self.changed = threading.Condition()  # guards what follows
        self.dependencies = {}
        self.probes = 0
        self.slowest = 0.0
        self.bodies = set()
        self.failure = None
        self._thread = threading.Thread(target=self._run, name="watcher")

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _run(self):
        while not self._over.wait(0.01):
            began = time.monotonic()
            try:
                answer = self._service.get("/health")
                known = json.loads(answer.body)
            except Exception as error:
                known, self.failure = {}, error
            took = time.monotonic() - began
            with self.changed:
                if self.failure is None:
                    self.dependencies = known["dependencies"]
                    self.bodies.add(answer.body.replace(str(known["timestamp"]).encode(), b""))
                self.probes += 1
                self.slowest = max(self.slowest, took)
                self.changed.notify_all()
            if self.failure:
                return

    def wait_for(self, dependency, status, timeout):
        """Seconds until it is told so; None: not in time."""
        began = time.monotonic()
        with self.changed:
            told = self.changed.wait_for(lambda: self.failure or self.dependencies.get(dependency) == status, timeout)
            if self.failure:
                raise self.failure
        return time.monotonic() - began if told else None


class TruthTest(unittest.TestCase):
    """One service, one fault after the other."""

    @classmethod
    def setUpClass(cls):
        cls.mongodb = cls.enterClassContext(Nx27017())
        cls.ai_service = cls.enterClassContext(FaultyAiService())
        cls.service = cls.enterClassContext(
            Service(MONGO_URI=cls.mongodb.uri, AI_SERVICE_URL=cls.ai_service.url, **SETTINGS)
        )

    def fault(self, dependency, begin, end, reasons, told, back):
        """Go through one fault; the other dependency stays connected, and no probe is held."""
        other = {"mongodb": "ai_service", "ai_service": "mongodb"}[dependency]
        with Watcher(self.service) as watcher:
            for name in (dependency, other):
                self.assertIsNotNone(watcher.wait_for(name, "connected", 10), f"{name} is not there to begin with")
            watcher.slowest = 0.0
            try:
                begin()
                self.assertIsNotNone(watcher.wait_for(dependency, "disconnected", told + SLACK), "it is not told")
                check = eventually(lambda: self.check_with(dependency, reasons))
                self.assertEqual(check["status"], "disconnected")
                self.assertEqual(self.service.get("/health").status, 503)
                self.assertEqual(self.service.get("/health/live").status, 200)
                self.assertEqual(self.service.json("/health")["dependencies"][other], "connected")
            finally:
                end()
            self.assertIsNotNone(watcher.wait_for(dependency, "connected", back + SLACK), "its end is not told")
            self.assertLess(watcher.slowest, SLOWEST_PROBE)

    def check_with(self, dependency, reasons):
        check = self.service.json("/health/details")["checks"][dependency]
        return check if check["reason"] in reasons else None

    def test_an_ai_service_that_is_dead(self):
        self.fault("ai_service", self.ai_service.refuse, self.ai_service.resume, {"refused"}, told=REFUSED, back=BACK)

    def test_an_ai_service_that_fails_hangs_or_drips(self):
        for mode, reason, told, back in (
            (Mode.STATUS_503, "http_status", REFUSED, BACK),
            (Mode.CLOSE, "closed", REFUSED, BACK),
            (Mode.GARBAGE, "protocol", REFUSED, BACK),
            (Mode.MUTE, "timeout", HUNG, BACK_AFTER_HANG),
            (Mode.DRIP_HEAD, "timeout", HUNG, BACK_AFTER_HANG),
        ):
            with self.subTest(mode.name):
                self.fault("ai_service", lambda m=mode: self.play(m), lambda: self.play(Mode.OK), {reason}, told, back)

    def play(self, mode):
        self.ai_service.mode = mode

    def test_an_ai_service_whose_body_never_ends_is_there(self):
        """The head decides."""
        eventually(lambda: self.service.get("/health").status == 200)
        changes = self.check_with("ai_service", {None})["changes"]
        with Watcher(self.service):
            for mode in (Mode.DRIP_BODY, Mode.ENDLESS_BODY, Mode.OK):
                with self.subTest(mode.name):
                    self.play(mode)
                    self.assertTrue(self.ai_service.wait_for_requests(self.ai_service.requests + 2))
                    self.assertEqual(self.check_with("ai_service", {None})["changes"], changes)

    def test_a_mongodb_that_hangs(self):
        self.fault("mongodb", self.mongodb.stop, self.mongodb.go_on, {"timeout"}, told=HUNG, back=BACK_AFTER_HANG)

    def test_a_mongodb_that_is_killed_and_started_again(self):
        self.fault(
            "mongodb", self.mongodb.kill, self.mongodb.start, {"refused", "closed"}, told=MONGODB_REFUSED, back=BACK
        )


class BurstTest(unittest.TestCase):
    """However many ask, a dependency is asked once in CHECK_MAX_AGE_SECONDS, and never twice at the same time."""

    PROBES, FRESH = 2000, 200
    MAX_AGE = 0.1

    def test_thousands_of_probes_and_hundreds_that_want_a_check_of_their_own(self):
        with contextlib.ExitStack() as stack:
            mongodb = stack.enter_context(Nx27017())
            # Slow enough to be met by another check, if there were one.
            ai_service = stack.enter_context(FaultyAiService(Mode.DELAY, self.MAX_AGE / 3))
            service = stack.enter_context(
                Service(
                    MONGO_URI=mongodb.uri,
                    AI_SERVICE_URL=ai_service.url,
                    # The load may take the processor from a check for longer than SETTINGS allow.
                    **SETTINGS | {"CHECK_MAX_AGE_SECONDS": self.MAX_AGE, "CHECK_TIMEOUT_SECONDS": 5},
                )
            )
            self.assertTrue(eventually(lambda: service.get("/health").status == 200))
            before, began = ai_service.requests, time.monotonic()
            load = subprocess.run(
                [sys.executable, "-c", LOAD, str(service.port), str(self.PROBES), str(self.FRESH)],
                capture_output=True,
                text=True,
                timeout=120,
            )
            took, checks, most = time.monotonic() - began, ai_service.requests - before, ai_service.most_at_once
            details = service.json("/health/details")
            history = {name: check["history"] for name, check in details["checks"].items()}

        self.assertEqual(json.loads(load.stdout or "0"), {"200": self.PROBES + self.FRESH}, load.stderr)
        self.assertEqual(most, 1)
        self.assertLessEqual(checks, took / self.MAX_AGE + 2)
        for name, entries in history.items():
            with self.subTest(name):
                begun = [entry["at"] for entry in entries]
                self.assertGreater(len(begun), 2)
                gaps = [later - earlier for earlier, later in itertools.pairwise(begun)]
                # Both are cut to whole milliseconds, and the wall clock may be slewed.
                self.assertGreaterEqual(min(gaps), self.MAX_AGE * 1000 - 5)


class ManyFaultsTest(unittest.TestCase):
    """Faults in a row leave nothing behind, and nowhere is a credential to be seen."""

    CYCLES = 30
    SPARE = 4  # threads and sockets that come and go: a check under way, the driver's monitors

    def test_thirty_fault_cycles_leave_no_thread_no_socket_and_no_password_behind(self):
        with contextlib.ExitStack() as stack:
            mongodb = stack.enter_context(Nx27017())
            ai_service = stack.enter_context(FaultyAiService())
            credentials = f"user:{PASSWORD}@"
            service = stack.enter_context(
                Service(
                    MONGO_URI=mongodb.uri.replace("//", f"//{credentials}") + "/?authMechanism=PLAIN&authSource=admin",
                    AI_SERVICE_URL=ai_service.url.replace("//", f"//{credentials}"),
                    WS_UPSTREAMS=f"a=ws://{credentials}127.0.0.1:1/x?key={PASSWORD}",
                    STATUS_TOKEN=TOKEN,
                    LOG_LEVEL="DEBUG",
                    **SETTINGS | {"CHECK_TIMEOUT_SECONDS": 0.2, "CHECK_MAX_AGE_SECONDS": 0.1},
                )
            )
            watcher = stack.enter_context(Watcher(service))
            seen = []

            def details():
                seen.append(service.get("/health/details", Authorization=f"Bearer {TOKEN}"))
                return json.loads(seen[-1].body)

            self.healthy(watcher)
            sizes = None
            for cycle in range(self.CYCLES):
                self.cycle(cycle, mongodb, ai_service, watcher)
                details()
                if cycle == 4:
                    self.healthy(watcher)
                    sizes = self.sizes(service)
            self.healthy(watcher)
            for before, kind in zip(sizes, ("task", "fd"), strict=True):
                eventually(lambda b=before, k=kind: self.size(service, k) <= b + self.SPARE, 5)
            seen += [service.get("/health/details"), service.get("/absent"), service.get("/health/ready")]
            checks = details()["checks"]
            service.close()

        for name, check in checks.items():
            with self.subTest(name):
                self.assertGreater(len(check["changes"]), 4)
        texts = [
            *service.lines,
            *(body.decode() for body in watcher.bodies),
            *(f"{answer.headers} {answer.body.decode()}" for answer in seen),
        ]
        self.assertTrue(any("settings: " in line for line in service.lines), "lines were lost")
        self.assertTrue(any("disconnected: timeout" in line for line in service.lines))
        for secret in ("hunter2", PASSWORD, MEANT, TOKEN):
            self.assertEqual([text for text in texts if secret in text], [])

    def healthy(self, watcher):
        for name in ("ai_service", "mongodb"):
            self.assertIsNotNone(watcher.wait_for(name, "connected", 10), f"{name} is not connected")

    def cycle(self, number, mongodb, ai_service, watcher):
        """One fault of the AI service from beginning to end; MongoDB hangs meanwhile in every sixth."""
        modes = (Mode.CLOSE, Mode.RESET, Mode.MUTE, Mode.GARBAGE, Mode.STATUS_503, Mode.REDIRECT)
        hang = number % 6 == 0
        try:
            if hang:
                mongodb.stop()
            ai_service.mode = modes[number % len(modes)]
            self.assertIsNotNone(watcher.wait_for("ai_service", "disconnected", HUNG + SLACK))
            if hang:
                self.assertIsNotNone(watcher.wait_for("mongodb", "disconnected", HUNG + SLACK))
        finally:
            if hang:
                mongodb.go_on()
            ai_service.mode = Mode.OK
        self.assertIsNotNone(watcher.wait_for("ai_service", "connected", BACK_AFTER_HANG + SLACK))

    def sizes(self, service):
        return self.size(service, "task"), self.size(service, "fd")

    @staticmethod
    def size(service, kind):
        """How many threads (`task`) or descriptors (`fd`) the worker has."""
        return sum(1 for _ in Path(f"/proc/{service.worker_pid}/{kind}").iterdir())
