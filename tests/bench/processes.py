"""The processes of the bench: servers on one core, their dependencies and the load on another."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.peers.ports import free_port

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
CORES = sorted(os.sched_getaffinity(0))
PINNED = len(CORES) >= 2
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
START_SECONDS = 20.0


def pinned(core, command):
    """`command`, pinned to `core` if there are at least two cores."""
    return ["taskset", "-c", str(core), *command] if PINNED else list(command)


@contextmanager
def process(command, core, cwd=ROOT, **options):
    """Run `command` in its own process group, and end the group."""
    running = subprocess.Popen(pinned(core, command), cwd=cwd, start_new_session=True, **options)
    try:
        yield running
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGTERM)
        try:
            running.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
        if running.stdout:
            running.stdout.close()


@contextmanager
def ai_service(delay):
    """A stand-in that answers after `delay` seconds; yields its port."""
    command = [sys.executable, "-m", "tests.bench.stand_in", str(delay)]
    with process(command, LOAD_CORE, stdout=subprocess.PIPE, text=True) as running:
        yield int(running.stdout.readline())


@contextmanager
def mongodb():
    """nx-27017 on its own port; yields its URI."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        options = f"--db memory --port {port} --pid-file {folder}/pid --log-file {folder}/log"
        command = [str(BIN / "nx-27017"), *options.split()]
        with process(command, LOAD_CORE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            until(lambda: reachable(port), "nx-27017")
            yield f"mongodb://127.0.0.1:{port}"


class Server:
    """A running gunicorn: `port`, `startup` (seconds until its first answer), `rss` (of its worker, in MB)."""

    def __init__(self, port, startup, pid):
        self.port, self.startup, self._pid = port, startup, pid

    @property
    def rss(self):
        children = Path(f"/proc/{self._pid}/task/{self._pid}/children").read_text().split()
        status = Path(f"/proc/{children[0]}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


@contextmanager
def gunicorn(app, port, environ, *options, root=ROOT):
    """gunicorn with `app` of the checkout `root` on the servers' core; yields a Server once it answers."""
    command = [str(BIN / "gunicorn"), *options, app]
    began = time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with process(command, SERVER_CORE, env=os.environ | environ, cwd=root, **quiet) as running:
        until(lambda: get(port, "/health") is not None, app)
        yield Server(port, time.perf_counter() - began, running.pid)


def get(port, path):
    """The body, or None if there is no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def reachable(port):
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def until(true, what):
    """Wait until `true()`; raises RuntimeError with the name `what` if that takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} does not answer")
        time.sleep(0.02)
