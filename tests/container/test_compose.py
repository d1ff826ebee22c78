import json
import subprocess
import tempfile
import time
import unittest
from contextlib import ExitStack
from pathlib import Path

import requests
from websockets.sync.client import connect

from tests.container.engine import ROOT, Project, docker, need_engine
from tests.peers.service import eventually

SOON = 15  # seconds until a change must be reported; other tests measure how fast that is
# By default Docker changes its own view after three checks, 30 s apart.
QUICK = """
services:
  server:
    healthcheck: {interval: 1s, retries: 2}
  mongo:
    healthcheck: {interval: 1s}
"""


class AloneTest(unittest.TestCase):
    def test_the_server_starts_without_its_dependencies_and_reports_them_as_disconnected(self):
        need_engine()
        project = Project()
        self.addCleanup(project.down)
        project.up("server")
        status, body = eventually(project.health, SOON)
        self.assertEqual((status, body["status"]), (503, "unhealthy"))
        self.assertEqual(body["dependencies"], {"ai_service": "disconnected", "mongodb": "disconnected"})


class ComposeTest(unittest.TestCase):
    """`docker compose up` on a real engine; each test leaves all services healthy."""

    @classmethod
    def setUpClass(cls):
        need_engine()
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        (folder / "quick.yml").write_text(QUICK)
        cls.project = Project(folder / "quick.yml")
        cls.addClassCleanup(cls.project.down)
        cls.project.up()

    def tearDown(self):
        self.project.compose("up", "--detach")
        self.assert_healthy()

    def check(self):
        """bin/check-server-health.sh: its exit status and what it prints."""
        ran = subprocess.run(
            [ROOT / "bin/check-server-health.sh", "-u", f"http://{self.project.address}/health"],
            capture_output=True,
            text=True,
        )
        return ran.returncode, ran.stdout

    def engines_view(self):
        return self.project.container("server")["State"]["Health"]["Status"]

    def assert_healthy(self):
        eventually(lambda: (self.project.health() or [0])[0] == 200, SOON)
        self.assertEqual(self.check(), (0, "Server is healthy\n"))
        eventually(lambda: self.engines_view() == "healthy", SOON)

    def assert_reported_missing(self, missing):
        eventually(lambda: self.project.health()[0] == 503, SOON)
        status, printed = self.check()
        self.assertEqual((status, printed.splitlines()[0]), (1, "Server is unhealthy"))
        dependencies = json.loads(printed.splitlines()[1].removeprefix("Response: "))["dependencies"]
        expected = dict.fromkeys(("ai_service", "mongodb"), "connected") | {missing: "disconnected"}
        self.assertEqual(dependencies, expected)
        eventually(lambda: self.engines_view() == "unhealthy", SOON)

    def test_the_server_is_healthy_after_the_start(self):
        self.assert_healthy()

    def test_a_dependency_that_stops_and_starts_again_is_reported(self):
        for service, name in ("mongo", "mongodb"), ("ai-service", "ai_service"):
            with self.subTest(service):
                self.project.compose("stop", service)
                self.assert_reported_missing(name)
                self.project.compose("start", service)
                eventually(lambda: self.project.health()[0] == 200, SOON)

    def test_a_dependency_that_hangs_and_resumes_is_reported(self):
        self.project.compose("pause", "mongo")
        try:
            self.assert_reported_missing("mongodb")
        finally:
            self.project.compose("unpause", "mongo")
        eventually(lambda: self.project.health()[0] == 200, SOON)

    def test_the_server_drains_first_and_stops_within_8_s(self):
        container = self.project.container("server")["Id"]
        address = self.project.address
        began = time.monotonic()
        with subprocess.Popen(["docker", "stop", container], stdout=subprocess.DEVNULL):

            def draining():
                return requests.get(f"http://{address}/health/ready", timeout=5).status_code == 503

            eventually(draining, 3)  # and it still answers
        self.assertLess(time.monotonic() - began, 8)
        state = self.project.container("server")["State"]
        self.assertEqual((state["ExitCode"], state["OOMKilled"]), (0, False))

    def test_the_stand_in_ai_service_stops_within_5_s(self):
        began = time.monotonic()
        self.project.compose("stop", "ai-service")
        self.assertLess(time.monotonic() - began, 5)

    def test_no_service_has_capabilities_or_unlimited_resources(self):
        for service, uid in ("server", "10001"), ("mongo", "999"), ("ai-service", "10001"):
            with self.subTest(service):
                self.assertEqual(self.project.run_in(service, "id", "-u"), uid)
                status = self.project.run_in(service, "cat", "/proc/1/status")
                for fact in "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1":
                    self.assertIn(fact, status)
                host = self.project.container(service)["HostConfig"]
                self.assertGreater(host["Memory"], 0)
                self.assertGreater(host["PidsLimit"], 0)
                self.assertEqual(host["RestartPolicy"]["Name"], "unless-stopped")

    def test_only_tmp_is_writable(self):
        for service in "server", "mongo":
            with self.subTest(service):
                self.assertTrue(self.project.container(service)["HostConfig"]["ReadonlyRootfs"])
                self.project.run_in(service, "touch", "/tmp/note")
        with self.assertRaisesRegex(AssertionError, "Read-only file system"):
            self.project.run_in("server", "touch", "/srv/note")

    def test_the_server_is_published_on_loopback_only(self):
        self.assertTrue(self.project.address.startswith("127.0.0.1:"), self.project.address)

    def test_the_resource_limits_leave_room_for_96_websockets(self):
        address = self.project.address
        with ExitStack() as sockets:
            for _ in range(96):
                sockets.enter_context(connect(f"ws://{address}/ws", max_queue=None))
            self.assertEqual(self.project.health()[0], 200)
        self.assertFalse(self.project.container("server")["State"]["OOMKilled"])

    def test_dependencies_and_token_are_passed_on_from_the_environment(self):
        settings = {"MONGO_URI": "mongodb://m", "AI_SERVICE_URL": "http://a", "STATUS_TOKEN": "t"}
        config = json.loads(self.project.compose("config", "--format", "json", **settings))
        self.assertEqual(config["services"]["server"]["environment"], settings)

    def test_probes_are_not_logged(self):
        began = docker("info", "--format", "{{.SystemTime}}")
        for _ in range(20):
            self.project.health()
        self.assertEqual(self.project.compose("logs", "--since", began, "--no-log-prefix", "server"), "")
