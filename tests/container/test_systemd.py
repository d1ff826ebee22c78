"""The units of docs/deployment.md and docs/rotation.md under a real systemd, in a container of its own."""

import contextlib
import shutil
import tempfile
import threading
import unittest
import uuid
from pathlib import Path

import requests

from tests.container.engine import BUILD_SECONDS, ROOT, docker, need_engine
from tests.docs.pages import FILES, PAGES
from tests.peers.ports import free_port
from tests.peers.service import eventually

SOON = 30
UNITS = "/etc/systemd/system"
VENV, INSTALL, SETTINGS, COPY, ENABLE, JOURNAL = PAGES["docs/deployment.md"].commands("systemd")
DOCKERFILE = f"""
FROM python:3.13-slim
RUN apt-get update && apt-get install -y --no-install-recommends systemd && mkdir -p {UNITS}/server-health.service.d
COPY requirements.txt /opt/server-health/
RUN {VENV}
RUN {INSTALL}
"""
# A systemd of today manages processes by the second version of control groups, whichever the engine uses.
START = "umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && exec /lib/systemd/systemd"
SHOP = """
[Service]
ExecStart=/usr/bin/env python3 -m http.server 8000
WorkingDirectory=/opt
Restart=on-failure
"""


class SystemdTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        need_engine()
        cls.image = f"server-health-test-{uuid.uuid4().hex[:8]}"
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "Dockerfile").write_text(DOCKERFILE)
            shutil.copy(ROOT / "requirements.txt", folder)
            docker("build", "--quiet", "--tag", cls.image, folder, timeout=BUILD_SECONDS)
        cls.addClassCleanup(docker, "image", "rm", "--force", cls.image)

    def setUp(self):
        self.name = f"{self.image}-{uuid.uuid4().hex[:8]}"
        self.health, self.shop = free_port(), free_port()
        ports = [f"--publish=127.0.0.1:{self.health}:8080", f"--publish=127.0.0.1:{self.shop}:8000"]
        options = ["--detach", "--privileged", "--cgroupns=private", "--tmpfs=/run", "--tmpfs=/tmp", *ports]
        docker("run", *options, "--name", self.name, "--entrypoint=sh", self.image, "-c", START)
        self.addCleanup(docker, "rm", "--force", "--volumes", self.name)
        eventually(self.booted, SOON)
        for path in "app", "bin":
            docker("cp", str(ROOT / path), f"{self.name}:/opt/server-health/{path}")
        self.write("/server-health.service", FILES["server-health.service"])
        self.run_command(SETTINGS.replace("mongo.example.org", "127.0.0.1"))
        self.run_command(COPY)

    def booted(self):
        with contextlib.suppress(AssertionError):
            return self.run_command("systemctl show --property=Version")
        return None

    def write(self, path, contents):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(contents)
            file.flush()
            Path(file.name).chmod(0o644)
            docker("cp", file.name, f"{self.name}:{path}")

    def run_command(self, command):
        return docker("exec", self.name, "sh", "-c", command)

    def state(self, unit):
        return self.run_command(f"systemctl is-active {unit} || true")

    def status(self, port, path="/"):
        """The status code of a response; None if there is none."""
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"http://127.0.0.1:{port}{path}", timeout=5).status_code
        return None

    def start_mongo(self):
        """A MongoDB on the loopback of the container."""
        mongo = docker("run", "--detach", "--network", f"container:{self.name}", "mongo:8")
        self.addCleanup(docker, "rm", "--force", "--volumes", mongo)

    def test_the_commands_of_the_page_start_the_unit_and_show_its_warnings(self):
        self.assertEqual(self.run_command("stat --format %a:%U /etc/server-health.env"), "600:root")
        self.run_command(ENABLE)
        self.assertEqual(self.state("server-health"), "active")
        eventually(lambda: self.status(self.health, "/health") == 503, SOON)
        eventually(lambda: "mongodb disconnected: refused" in self.run_command(f"{JOURNAL} || true"), SOON)
        self.run_command("systemctl stop server-health")
        self.assertEqual(self.run_command("systemctl show --value --property=Result server-health"), "success")

    def test_a_bad_setting_stays_failed_and_is_not_tried_again(self):
        self.write("/etc/server-health.env", "PORT=none\n")
        self.run_command("systemctl start server-health || true")
        eventually(lambda: self.state("server-health") == "failed", SOON)
        self.assertEqual(self.run_command("systemctl show --value --property=NRestarts server-health"), "0")

    def test_the_sidecar_leaves_rotation_before_the_server_stops_and_returns_with_it(self):
        self.write(f"{UNITS}/shop.service", SHOP)
        self.write(f"{UNITS}/server-health.service.d/sidecar.conf", FILES["sidecar.conf"])
        self.start_mongo()
        for command in PAGES["docs/rotation.md"].commands("systemd"):
            self.run_command(command)
        eventually(lambda: self.status(self.health, "/health/ready") == 200, SOON)
        seen = self.statuses_while_the_shop_stops()
        self.assertIn((503, 200), seen)
        self.assertNotIn((200, None), seen)
        self.assertEqual((self.state("shop"), self.state("server-health")), ("inactive", "inactive"))
        self.run_command("systemctl start shop")
        eventually(lambda: self.status(self.health, "/health/ready") == 200, SOON)
        self.run_command("kill -9 $(systemctl show --value --property=MainPID shop)")
        eventually(lambda: self.status(self.health, "/health/ready") is None, SOON)
        eventually(lambda: self.status(self.health, "/health/ready") == 200, SOON)
        self.assertEqual(self.status(self.shop), 200)

    def statuses_while_the_shop_stops(self):
        """The different pairs seen, in order: the status of readiness, and after it that of the server."""
        seen = []
        stopping = threading.Thread(target=self.run_command, args=("systemctl stop shop",), name="stop", daemon=True)
        stopping.start()
        while stopping.is_alive():
            pair = self.status(self.health, "/health/ready"), self.status(self.shop)
            if pair not in seen:
                seen.append(pair)
        return seen
