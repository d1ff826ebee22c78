import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from tests.bin.checkout import DEADLINE, ROOT, environment, living
from tests.peers.mongo import NX, free_port
from tests.peers.service import eventually
from tests.requirement import need


class DevTest(unittest.TestCase):
    """bin/dev, with a temporary folder and a process group of its own."""

    def setUp(self):
        # Else it would make the virtual environment anew that the tests run in.
        need(pathlib.Path(sys.prefix, ".stamp").exists(), "a virtual environment made by bin/.venv.sh")
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.log = self.enterContext(open(self.folder / "log", "w+"))
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()
        self.port = free_port()

    def start(self, *command, **settings):
        """The process of bin/dev, or of another command, which does not outlive the test."""
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

    def said(self):
        return (self.folder / "log").read_text()

    def health(self):
        """What the service says of itself; None if it is not there."""
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
            self.assertIsNone(process.poll(), self.said())
            return (self.health() or {}).get("status") == "healthy"

        eventually(healthy, DEADLINE)

    def assert_nothing_left(self, process):
        process.wait(DEADLINE)
        eventually(lambda: not living(process.pid))
        self.assertEqual(list(self.temporary.iterdir()), [])

    def test_ctrl_c_ends_all_that_it_has_embedded(self):
        process = self.start()
        self.wait_until_healthy(process)
        self.assertRegex(self.said(), r"MongoDB: embedded nx-27017, .* mongodb://127\.0\.0\.1:\d+")
        self.assertRegex(self.said(), r"AI service: stand-in, http://127\.0\.0\.1:\d+")
        self.assertIn(f"http://127.0.0.1:{self.port}/health", self.said())
        self.assertGreaterEqual(len(living(process.pid)), 5)  # bash, gunicorn and its worker, both stand-ins
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        self.assert_nothing_left(process)
        self.assertEqual(process.returncode, 0)

    def test_sigterm_ends_it_too_even_where_a_part_is_stopped(self):
        process = self.start()
        self.wait_until_healthy(process)
        nx = next(pid for pid in living(process.pid) if "nx-27017" in pathlib.Path(f"/proc/{pid}/cmdline").read_text())
        os.kill(nx, signal.SIGSTOP)
        process.terminate()  # the script alone
        self.assert_nothing_left(process)
        self.assertEqual(process.returncode, 0)

    def test_it_runs_beside_another_nx_27017(self):
        # It takes the place that nx-27017 has by default, if somebody else's has not taken it already.
        stranger = self.start(NX, "--db", "memory", "--port", "0", "--log-file", str(self.folder / "nx.log"))
        eventually(pathlib.Path("/tmp/nx_27017.pid").exists, DEADLINE)
        process = self.start(AI_SERVICE_URL="http://127.0.0.1:1")
        eventually(self.health, DEADLINE)
        eventually(lambda: self.health()["dependencies"] == {"ai_service": "disconnected", "mongodb": "connected"})
        self.assertNotIn("stand-in", self.said())
        process.terminate()
        self.assert_nothing_left(process)
        stranger.terminate()
        stranger.wait(DEADLINE)

    def test_a_taken_port_is_told_in_one_line_before_anything_starts(self):
        with socket.create_server(("127.0.0.1", self.port)):
            process = self.start()
            self.assertEqual(process.wait(DEADLINE), 1)
        self.assertRegex(self.said(), rf"\Abin/dev: cannot listen on 127\.0\.0\.1:{self.port}: .+\n\Z")

    def test_a_bad_setting_ends_all_of_it_with_the_services_status(self):
        process = self.start(PORT="none", MONGO_URI="mongodb://127.0.0.1:1", AI_SERVICE_URL="http://127.0.0.1:1")
        self.assert_nothing_left(process)
        self.assertEqual(process.returncode, 2)
        self.assertFalse(re.search("embedded|stand-in", self.said()))  # both are set

    def test_it_takes_no_arguments(self):
        process = self.start(ROOT / "bin/dev", "--help")
        self.assertEqual(process.wait(DEADLINE), 2)
        self.assertEqual(self.said(), "usage: [SETTING=VALUE...] bin/dev\n")
