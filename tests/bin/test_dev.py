import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from tests.bin.checkout import DEADLINE, ROOT, environment, living
from tests.docs.pages import PAGES
from tests.peers.mongo import NX
from tests.peers.ports import free_port
from tests.peers.service import eventually
from tests.requirement import need


class DevTest(unittest.TestCase):
    """bin/dev, with its own temporary folder and process group."""

    def setUp(self):
        # Otherwise bin/dev would rebuild the virtual environment that the tests run in.
        need(pathlib.Path(sys.prefix, ".stamp").exists(), "a virtual environment made by bin/.venv.sh")
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.log = self.enterContext(open(self.folder / "log", "w+"))
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()
        self.port = free_port()

    def start(self, *command, **settings):
        """The process of bin/dev or of another command; it is killed after the test."""
        defaults = {"PORT": str(self.port), "TMPDIR": str(self.temporary), "DRAIN_SECONDS": "0"}
        process = subprocess.Popen(
            command or [ROOT / "bin/dev"],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment(**defaults | settings),
        )
        self.addCleanup(process.wait)
        self.addCleanup(lambda: living(process.pid) and os.killpg(process.pid, signal.SIGKILL))
        return process

    def output(self):
        return (self.folder / "log").read_text()

    def health(self):
        """The JSON of /health; None if there is no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.request("GET", "/health")
            return json.loads(connection.getresponse().read())
        except OSError:
            return None
        finally:
            connection.close()

    def wait_until_healthy(self, process):
        def healthy():
            self.assertIsNone(process.poll(), self.output())
            return (self.health() or {}).get("status") == "healthy"

        eventually(healthy, DEADLINE)

    def wait_for_answer(self, process):
        eventually(lambda: process.poll() is not None or self.health(), DEADLINE)
        self.assertIsNone(process.poll(), self.output())

    def assert_nothing_left(self, process):
        process.wait(DEADLINE)
        eventually(lambda: not living(process.pid))
        self.assertEqual(list(self.temporary.iterdir()), [])

    def test_ctrl_c_ends_the_service_and_both_stand_ins(self):
        process = self.start()
        self.wait_until_healthy(process)
        self.assertRegex(self.output(), r"MongoDB: embedded nx-27017, .* mongodb://127\.0\.0\.1:\d+")
        self.assertRegex(self.output(), r"AI service: stand-in, http://127\.0\.0\.1:\d+")
        self.assertIn(f"http://127.0.0.1:{self.port}/health", self.output())
        self.assertGreaterEqual(len(living(process.pid)), 5)  # bash, gunicorn and its worker, both stand-ins
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        self.assert_nothing_left(process)
        self.assertEqual(process.returncode, 0)

    def test_the_commands_of_the_readme_watch_a_dependency_beside_the_stand_ins(self):
        need(shutil.which("curl"), "curl")
        start, *requests = PAGES["README.md"].commands("Start")[2:]
        *variables, program = start.split()
        process = self.start(ROOT / program, **dict(variable.split("=", 1) for variable in variables))
        self.wait_for_answer(process)
        health, table = (
            subprocess.run(
                ["bash", "-c", command.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}")],
                capture_output=True,
                text=True,
            ).stdout
            for command in requests
        )
        self.assertEqual(list(json.loads(health)["dependencies"]), ["ai_service", "cache", "mongodb"])
        self.assertRegex(table, r"(?m)^cache +(connected|disconnected: \w+) ")
        process.terminate()
        self.assert_nothing_left(process)

    def test_sigterm_ends_everything_even_if_a_stand_in_is_stopped(self):
        process = self.start()
        self.wait_until_healthy(process)
        nx = next(pid for pid in living(process.pid) if "nx-27017" in pathlib.Path(f"/proc/{pid}/cmdline").read_text())
        os.kill(nx, signal.SIGSTOP)
        process.terminate()  # only the script
        self.assert_nothing_left(process)
        self.assertEqual(process.returncode, 0)

    def test_dev_runs_beside_another_nx_27017(self):
        # It uses the default pid file, unless another nx-27017 on this machine already does.
        other = self.start(NX, "--db", "memory", "--port", "0", "--log-file", str(self.folder / "nx.log"))
        eventually(pathlib.Path("/tmp/nx_27017.pid").exists, DEADLINE)
        process = self.start(AI_SERVICE_URL="http://127.0.0.1:1")
        eventually(self.health, DEADLINE)
        eventually(lambda: self.health()["dependencies"] == {"ai_service": "disconnected", "mongodb": "connected"})
        self.assertNotIn("stand-in", self.output())
        process.terminate()
        self.assert_nothing_left(process)
        other.terminate()
        other.wait(DEADLINE)

    def test_a_port_in_use_is_reported_in_one_line_before_anything_starts(self):
        with socket.create_server(("127.0.0.1", self.port)):
            process = self.start()
            self.assertEqual(process.wait(DEADLINE), 1)
        self.assertRegex(self.output(), rf"\Abin/dev: cannot listen on 127\.0\.0\.1:{self.port}: .+\n\Z")

    def test_a_bad_setting_ends_dev_with_the_status_of_the_service(self):
        process = self.start(PORT="none", MONGO_URI="mongodb://127.0.0.1:1", AI_SERVICE_URL="http://127.0.0.1:1")
        self.assert_nothing_left(process)
        self.assertEqual(process.returncode, 2)
        self.assertFalse(re.search("embedded|stand-in", self.output()))  # both are set

    def test_an_argument_is_wrong_usage(self):
        process = self.start(ROOT / "bin/dev", "--help")
        self.assertEqual(process.wait(DEADLINE), 2)
        self.assertEqual(self.output(), "usage: [SETTING=VALUE...] bin/dev\n")
