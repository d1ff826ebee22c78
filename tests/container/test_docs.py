"""The console blocks about Docker in docs/deployment.md and docs/operations.md, on a real engine."""

import re
import unittest
import uuid

from tests.container.engine import BUILD_SECONDS, docker, inspect, need_engine, shell
from tests.docs.pages import PAGES
from tests.peers.mongo import free_port
from tests.peers.service import eventually

SOON = 60  # the image's first health check comes after 30 s


class DockerTest(unittest.TestCase):
    """The commands as they stand, but for the names of image, container and dependencies, and the port."""

    def setUp(self):
        need_engine()
        self.name = f"server-health-test-{uuid.uuid4().hex[:8]}"

    def run_command(self, command):
        command = re.sub(r"(?<!check-)server-health", self.name, command)
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
        details, log = first_look
        self.assertRegex(self.run_command(f"{details} || true"), r"(?m)^mongodb +disconnected: refused")
        self.assertRegex(self.run_command(log), r"(?m)^WARN: .*mongodb disconnected: refused")
