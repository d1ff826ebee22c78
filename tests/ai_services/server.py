"""A real AI server: installed when it is first needed, and run on loopback."""

import contextlib
import platform
import subprocess
import sys
import tempfile
import unittest
import venv
from pathlib import Path

import requests

from tests.docs.ai_page import PREFIX, ROOT, answer, reason_of, variables
from tests.peers.ports import free_port
from tests.peers.service import eventually

# Together with the version of a server, this date pins all that it requires.
UPLOADED_BEFORE = "2026-10-01"
START_SECONDS = 120
STOP_SECONDS = 30
# No server may leave this machine: a request that tries to reaches a port on which nothing listens.
OFFLINE = {"HTTP_PROXY": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1"}


def installed(name, *requirements):
    """The folder of a virtual environment with these requirements, which pip installs unless it is there already."""
    folder = ROOT / "build/ai-services" / name
    stamp, wanted = folder / ".stamp", "\n".join((platform.python_version(), UPLOADED_BEFORE, *requirements))
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(folder, clear=True)
        pip = [sys.executable, "-m", "pip", "--python", folder / "bin/python", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "-q", "--uploaded-prior-to", UPLOADED_BEFORE, *requirements], check=True)
        stamp.write_text(wanted)
    return folder


class RealServerTest(unittest.TestCase):
    """A test that runs a server on `port`, with its files in `folder`."""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"

    def start(self, environment, *command, **environ):
        """Run a command of a virtual environment until the test ends; once its port answers, return."""
        log = self.enterContext((self.folder / "log").open("w+"))
        environ |= OFFLINE | {"PATH": f"{environment}/bin:/usr/bin:/bin", "HOME": str(self.folder)}
        command = [str(environment / command[0]), *map(str, command[1:])]
        process = subprocess.Popen(command, cwd=self.folder, env=environ, stdout=log, stderr=subprocess.STDOUT)
        self.addCleanup(self._stop, process)

        def answers():
            if process.poll() is not None:
                raise AssertionError(f"{command[0]} ended: {(self.folder / 'log').read_text()[-4000:]}")
            with contextlib.suppress(requests.ConnectionError):
                return self.get("/") is not None

        eventually(answers, START_SECONDS)

    @staticmethod
    def _stop(process):
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def get(self, path, **headers):
        return requests.get(self.origin + path, headers=headers, timeout=10)

    def variables(self, server):
        return variables(server, self.origin, self.folder)

    def assert_answers(self, server, situation, **headers):
        """The server gives the recorded answer, and the check on the page makes of it what it should."""
        recorded, environ = answer(server, situation), self.variables(server)
        got = requests.get(environ[PREFIX + "URL"], headers=headers, timeout=10)
        self.assertEqual((got.status_code, got.text), (recorded["status"], recorded["body"]))
        self.assertLessEqual(recorded["headers"].items(), got.headers.items())
        if not headers:
            self.assertEqual(reason_of(environ), recorded["reason"])
