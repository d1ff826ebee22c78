"""What docs/deployment.md, docs/operations.md and docs/rotation.md show about Docker and Compose, on a real engine."""

import contextlib
import re
import tempfile
import unittest
import uuid
from pathlib import Path

import requests

from tests.container.engine import BUILD_SECONDS, build_haproxy, docker, inspect, need_engine, shell
from tests.docs.pages import FILES, PAGES
from tests.peers.ports import free_port
from tests.peers.service import eventually

SOON = 60  # the image's first health check comes after 30 s
# Beside the page's file: a server, a MongoDB, images that exist here. A name that the engine does not know is asked of
# nobody.
BESIDE = """
services:
  shop:
    image: python:3.13-slim
    command: [python, -m, http.server, "8000"]
    dns: [127.0.0.1]
    init: true
  server-health:
    image: {name}
  haproxy:
    image: {name}-haproxy
    dns: [127.0.0.1]
  mongo:
    image: mongo:8
    # A stand-in that is stopped as soon as it has started would ignore that as process 1, be killed, and leave a file
    # because of which it does not start again.
    init: true
    tmpfs: [/tmp]
"""


class DockerTest(unittest.TestCase):
    """The commands as they stand, but for the names of image, container and dependencies, and the port."""

    def setUp(self):
        need_engine()
        self.name = f"server-health-test-{uuid.uuid4().hex[:8]}"

    def run_command(self, command):
        command = re.sub(r"(?<!check-)server-health(?!-doctor)", self.name, command)
        command = re.sub(r"(?:mongo|ai)\.example\.org", "127.0.0.1", command)
        return shell(command.replace("127.0.0.1:8080:", f"127.0.0.1:{free_port()}:"), timeout=BUILD_SECONDS)

    def test_the_commands_build_and_run_the_image_and_show_why_it_is_unhealthy(self):
        build, start, status, answers = PAGES["docs/deployment.md"].commands("Docker")
        self.addCleanup(docker, "image", "rm", "--force", self.name)
        self.run_command(build)
        self.addCleanup(docker, "rm", "--force", "--volumes", self.name)
        self.run_command(start)
        self.assertTrue(inspect(self.name)["HostConfig"]["ReadonlyRootfs"])
        eventually(lambda: '"unhealthy"' in self.run_command(answers), SOON)
        self.assertIn(self.run_command(status), ("starting", "unhealthy"))
        first_look = [line for line in PAGES["docs/operations.md"].commands("First look") if line.startswith("docker")]
        details, doctor, log = first_look
        self.assertRegex(self.run_command(f"{details} || true"), r"(?m)^mongodb +disconnected: refused")
        self.assertRegex(self.run_command(f"{doctor} || true"), r"(?m)^mongodb \(mongodb\) +failed$")
        self.assertRegex(self.run_command(log), r"(?m)^WARN: .*mongodb disconnected: refused")

    def test_the_compose_file_runs_the_image_without_its_dependencies(self):
        docker("build", "--quiet", "--tag", self.name, ".", timeout=BUILD_SECONDS)
        self.addCleanup(docker, "image", "rm", "--force", self.name)
        folder = self.enterContext(tempfile.TemporaryDirectory())
        port = free_port()
        contents = FILES["compose.yaml"].replace("image: server-health", f"image: {self.name}")
        Path(folder, "compose.yaml").write_text(contents.replace("127.0.0.1:8080:", f"127.0.0.1:{port}:"))
        compose = f"docker compose --project-name {self.name} --project-directory {folder} --file {folder}/compose.yaml"
        [command] = PAGES["docs/deployment.md"].commands("Compose")
        self.addCleanup(shell, f"{compose} down --volumes", MONGO_URI="", AI_SERVICE_URL="")
        shell(command.replace("docker compose", compose).replace("mongo.example.org", "127.0.0.1"))

        def answers():
            with contextlib.suppress(requests.RequestException):
                return requests.get(f"http://127.0.0.1:{port}/health", timeout=5).json()
            return None

        self.assertEqual(eventually(answers, SOON)["dependencies"], {"mongodb": "disconnected"})


class SidecarTest(unittest.TestCase):
    """The Compose file of docs/rotation.md, with images that exist here."""

    def setUp(self):
        need_engine()
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.name = f"server-health-test-{uuid.uuid4().hex[:8]}"
        self.port = free_port()
        for name, contents in {
            "compose-sidecar.yaml": FILES["compose-sidecar.yaml"],
            "haproxy-sidecar.cfg": FILES["haproxy-sidecar.cfg"],
            "beside.yaml": BESIDE.format(name=self.name),
        }.items():
            (self.folder / name).write_text(contents)
        build_haproxy(f"{self.name}-haproxy")
        self.addCleanup(docker, "image", "rm", "--force", f"{self.name}-haproxy")
        docker("build", "--quiet", "--tag", self.name, ".", timeout=BUILD_SECONDS)
        self.addCleanup(docker, "image", "rm", "--force", self.name)
        self.addCleanup(self.compose, "down", "--volumes", "--timeout", "5")
        self.compose("up", "--detach")

    def compose(self, *arguments):
        files = (f"--file={self.folder / name}" for name in ("compose-sidecar.yaml", "beside.yaml"))
        settings = {"MONGO_URI": "mongodb://mongo", "PUBLISHED_PORT": f"127.0.0.1:{self.port}"}
        return docker("compose", "-p", self.name, *files, *arguments, **settings)

    def status(self):
        """The status code with which the proxy answers a request for the server; None if there is no answer."""
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"http://127.0.0.1:{self.port}/", timeout=5).status_code
        return None

    def test_the_server_leaves_rotation_while_mongodb_is_missing_and_returns(self):
        eventually(lambda: self.status() == 200, SOON)
        self.compose("stop", "mongo")
        eventually(lambda: self.status() == 503, SOON)
        self.compose("start", "mongo")
        eventually(lambda: self.status() == 200, SOON)

    def test_the_server_leaves_rotation_while_it_does_not_work_itself_and_returns(self):
        eventually(lambda: self.status() == 200, SOON)
        self.compose("pause", "shop")
        eventually(lambda: self.status() == 503, SOON)
        self.compose("unpause", "shop")
        eventually(lambda: self.status() == 200, SOON)
