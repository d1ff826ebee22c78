"""The service itself and other applications, each under a real gunicorn in a process of its own."""

import collections
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

from tests.peers.ai_service import FaultyAiService
from tests.peers.ports import free_port
from tests.peers.tcp_server import DEADLINE

ROOT = Path(__file__).parents[2]
START_SECONDS = 20.0
LINES = 5000

Answer = collections.namedtuple("Answer", "status headers body")


class Gunicorn:
    """gunicorn in a process of its own that listens on `port`; a context manager that yields it once it answers `path`.

    `out` and `err` are the lines of its log.
    """

    def __init__(self, command, environ, port, path, wait=True, cwd=ROOT):
        self.port = port
        self._path = path
        self.process = subprocess.Popen(
            command,
            env=environ,
            cwd=cwd,
            text=True,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.changed = threading.Condition()  # guards out and err
        self.out = collections.deque(maxlen=LINES)
        self.err = collections.deque(maxlen=LINES)
        self._readers = [
            threading.Thread(target=self._read, args=pair, name="service-log", daemon=True)
            for pair in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()
        if wait:
            try:
                self.wait_until_alive()
            except BaseException:
                self.close()
                raise

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def lines(self):
        """All lines of the log."""
        with self.changed:
            return [*self.out, *self.err]

    @property
    def log(self):
        return "\n".join(self.lines)

    @property
    def worker_pid(self):
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def get(self, path, method="GET", timeout=10.0, **headers):
        """One request on a connection of its own; a header's underscores stand for hyphens. Raises OSError."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)) as connection:
            connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def json(self, path, **headers):
        return json.loads(self.get(path, **headers).body)

    def connect(self, timeout=10.0):
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def send(self, data, timeout=10.0, end=False):
        """Everything that comes back for these bytes, until the service closes or `timeout` passes; `end` ends our
        side."""
        with self.connect(timeout) as sock:
            sock.sendall(data)
            if end:
                sock.shutdown(socket.SHUT_WR)
            return read_all(sock)

    def wait_until_alive(self):
        def alive():
            if self.process.poll() is not None:
                raise AssertionError(f"the service ended with {self.process.returncode}: {self.lines}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self.get(self._path).status == 200

        eventually(alive, START_SECONDS)

    def wait_for_line(self, text, timeout=DEADLINE):
        """Whether a line of the log with `text` in it came in time."""
        with self.changed:
            return self.changed.wait_for(lambda: any(text in line for line in (*self.out, *self.err)), timeout)

    def signal(self, number):
        """To gunicorn's master, as Docker does."""
        os.kill(self.process.pid, number)

    def wait(self, timeout=30.0):
        """Its exit status, once its whole log is in `out` and `err`."""
        status = self.process.wait(timeout)
        for reader in self._readers:
            reader.join(DEADLINE)
        return status

    def close(self):
        """End it, gently first: otherwise its coverage is not written down."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        for reader, stream in zip(self._readers, (self.process.stdout, self.process.stderr), strict=True):
            reader.join(DEADLINE)
            stream.close()

    def _read(self, stream, lines):
        for line in stream:
            with self.changed:
                lines.append(line.rstrip("\n"))
                self.changed.notify_all()


class Service(Gunicorn):
    """The service itself, as it runs in production: `bin/serve`, or another `command`, with `settings` in its environment.

    Nothing of the test's own environment is a setting. `options` are gunicorn's.
    """

    alive = "/health/live"
    """What is asked until it answers."""

    def __init__(self, *options, wait=True, command=ROOT / "bin" / "serve", cwd=ROOT, **settings):
        port = int(settings.setdefault("PORT", free_port()))
        settings.setdefault("HOST", "127.0.0.1")
        settings.setdefault("MONGO_URI", "mongodb://127.0.0.1:1")
        settings.setdefault("AI_SERVICE_URL", "http://127.0.0.1:1")
        settings.setdefault("DRAIN_SECONDS", "0")
        keep = ("PATH", "HOME", "LANG", "PYTHONPATH", "COVERAGE_", "COV_", "VENV", "PYTHONDONTWRITEBYTECODE")
        environ = {name: value for name, value in os.environ.items() if name.startswith(keep)}
        environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
        environ["VENV"] = str(Path(sys.executable).parents[1])
        environ |= {name: str(value) for name, value in settings.items()}
        super().__init__([str(command), *options], environ, port, self.alive, wait, cwd)


class OddService(Service):
    """The service with the views and limits of `tests.serving.odd_conf`."""

    def __init__(self, *options, **settings):
        settings = {"SHUTDOWN_TIMEOUT_SECONDS": "0.5", **settings}
        super().__init__("--config", "python:tests.serving.odd_conf", *options, **settings)


class OddServiceTest(unittest.TestCase):
    """A test class with one OddService, of `worker_class`, for all its methods."""

    worker_class = "probe"
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.ai_service = cls.enterClassContext(FaultyAiService())
        settings = {"WORKER_CLASS": cls.worker_class, "AI_SERVICE_URL": cls.ai_service.url, **cls.settings}
        cls.service = cls.enterClassContext(OddService(**settings))


def read_all(sock):
    """What arrives on a socket until its end, or until its timeout passes without a byte."""
    received = b""
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while data := sock.recv(65536):
            received += data
    return received


def read_response(sock):
    """One response, as (head, body); without a Content-Length it has no body."""
    received = b""
    while b"\r\n\r\n" not in received:
        data = sock.recv(65536)
        if not data:
            raise AssertionError(f"the connection ended after {received!r}")
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        data = sock.recv(65536)
        if not data:
            raise AssertionError(f"the connection ended {length - len(body)} bytes too early")
        body += data
    return head, body


def eventually(condition, timeout=DEADLINE):
    """Wait until `condition()` is true and return it; AssertionError if that takes too long.

    For what another process does, which has no event to wait for.
    """
    end = time.monotonic() + timeout
    pause = threading.Event()
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not in {timeout} s")
        pause.wait(0.01)
    return value
