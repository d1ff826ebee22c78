"""The service as its own process: real gunicorn, real signals, and a stand-in for the AI service."""

import http.client
import http.server
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS = 20.0
WORKER_CLASSES = ("probe", "gthread")


class StandIn:
    """An AI service: `status` is what it answers; with `answering` cleared it keeps everyone waiting."""

    def __init__(self):
        self.status = 200
        self.answering = threading.Event()
        self.answering.set()
        stand_in = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                stand_in.answering.wait(60)
                self.send_response(stand_in.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

            def handle(self):
                try:
                    super().handle()
                except ConnectionError:
                    pass  # it is cut off where it keeps the service waiting

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self):
        self.answering.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Service:
    """One gunicorn. `options` go to its command line, `environment` on top of quiet defaults."""

    def __init__(self, *options, app="tests.serving.served:app", config="app.serving.gunicorn_conf", **environment):
        self.port = free_port()
        self._log = tempfile.TemporaryFile("w+")
        known = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", f"python:{config}", *options, app],
            cwd=ROOT,
            env={
                **known, "HOST": "127.0.0.1", "PORT": str(self.port), "AI_SERVICE_URL": "http://127.0.0.1:1",
                "MONGO_URI": "mongodb://127.0.0.1:1", "DRAIN_SECONDS": "0", **environment,
            },
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True,
        )

    def wait_ready(self):
        """Return itself once it answers; fails with its log if it does not."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.get("/health/live", timeout=5)
            except OSError:
                select.select([], [], [], 0.02)
            else:
                return self
        raise AssertionError(f"the service did not start:\n{self.log()}")

    def log(self):
        """All that it has written so far."""
        return os.pread(self._log.fileno(), 1 << 20, 0).decode()

    def worker_pid(self):
        """The process that serves, as it says itself when it starts."""
        return int(self.log().rsplit("Booting worker with pid: ", 1)[1].split()[0])

    def connect(self, timeout=10.0):
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def get(self, path, method="GET", timeout=10.0, **headers):
        """(status, headers as a dict by lower-case name, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
            response = connection.getresponse()
            body = response.read()
            return response.status, {name.lower(): text for name, text in response.getheaders()}, body
        finally:
            connection.close()

    def json(self, path, **headers):
        return json.loads(self.get(path, **headers)[2])

    def send(self, data, timeout=10.0, end=False):
        """All that comes back for these bytes, until the service closes or `timeout` passes; `end` ends our side."""
        with self.connect(timeout) as sock:
            sock.sendall(data)
            if end:
                sock.shutdown(socket.SHUT_WR)
            return read_all(sock)

    def wait_for(self, condition, what, timeout=10.0):
        """Fails, with the log, unless `condition()` comes true in time."""
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"{what} did not come true:\n{self.log()}")
            select.select([], [], [], 0.01)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=15.0):
        """Its exit status."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the service did not end within {timeout} s:\n{self.log()}") from None

    def close(self):
        """End whatever is left of it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._log.close()


class ServedTest(unittest.TestCase):
    """A test class with one service, of `worker_class`, for all its methods."""

    worker_class = "probe"
    config = "app.serving.gunicorn_conf"
    environment = {}

    @classmethod
    def setUpClass(cls):
        cls.stand_in = StandIn()
        cls.addClassCleanup(cls.stand_in.close)
        environment = {"WORKER_CLASS": cls.worker_class, "AI_SERVICE_URL": cls.stand_in.url, **cls.environment}
        cls.service = Service(config=cls.config, **environment)
        cls.addClassCleanup(cls.service.close)
        cls.service.wait_ready()


def read_all(sock):
    """What comes on a socket until its end, or until its timeout passes without a byte."""
    received = b""
    try:
        while data := sock.recv(65536):
            received += data
    except TimeoutError:
        pass
    except ConnectionResetError:
        pass
    return received


def read_response(sock):
    """One response with a Content-Length (or none: no body): (head, body)."""
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
        body += sock.recv(65536)
    return head, body


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]
