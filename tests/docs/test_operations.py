"""docs/operations.md explains every reason and every alert, and its commands work."""

import os
import shutil
import unittest

from app.health.meanings import MEANINGS
from app.net.reason import Reason
from tests.docs.pages import PAGES, ROOT
from tests.docs.programs import run
from tests.docs.test_alerts_and_dashboard import alerts
from tests.peers.service import Service
from tests.requirement import need

PAGE = PAGES["docs/operations.md"]


class OperationsTest(unittest.TestCase):
    def test_every_reason_is_explained_and_no_other(self):
        self.assertEqual(PAGE.first_column("Reasons"), [reason.value for reason in Reason])
        rows = [f"| `{reason}` | {meaning.means} | {meaning.look_at} |" for reason, meaning in MEANINGS.items()]
        self.assertIn("\n".join(rows), PAGE.section("Reasons"))

    def test_every_alert_is_explained_and_no_other(self):
        self.assertEqual(PAGE.first_column("Alerts"), list(alerts()))

    def test_the_commands_of_the_first_look_show_each_dependency_and_the_process(self):
        need(shutil.which("curl") and shutil.which("jq"), "curl, jq")
        shown = {"--details": "mongodb", "jq .checks": '"mongodb"', "/health/live": '{"status":"alive"}'}
        # Those of Docker are run by tests.container.
        commands = [command for command in PAGE.commands("First look") if not command.startswith("docker")]
        with Service() as service:
            for command, (end, expected) in zip(commands, shown.items(), strict=True):
                self.assertTrue(command.endswith(end), command)
                here = command.replace("localhost:8080", f"127.0.0.1:{service.port}")
                done = run("bash", "-c", here, cwd=ROOT, env=os.environ | {"PORT": str(service.port)})
                self.assertIn(expected, done.stdout, done.stderr)
