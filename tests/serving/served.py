"""The service in a process of its own, as a test class has it, and raw sockets to it."""

import contextlib
import socket
import unittest

from tests.peers.ai_service import FaultyAiService
from tests.peers.service import Service


class Served(Service):
    """The service with `served_conf`."""

    def __init__(self, *options, **settings):
        settings = {"SHUTDOWN_TIMEOUT_SECONDS": "0.5", **settings}
        super().__init__("--config", "python:tests.serving.served_conf", *options, **settings)

    @property
    def log(self):
        return "\n".join(self.lines)

    def connect(self, timeout=10.0):
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def send(self, data, timeout=10.0, end=False):
        """All that comes back for these bytes, until the service closes or `timeout` passes; `end` ends our side."""
        with self.connect(timeout) as sock:
            sock.sendall(data)
            if end:
                sock.shutdown(socket.SHUT_WR)
            return read_all(sock)


class ServedTest(unittest.TestCase):
    """A test class with one service, of `worker_class`, for all its methods."""

    worker_class = "probe"
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.ai_service = cls.enterClassContext(FaultyAiService())
        settings = {"WORKER_CLASS": cls.worker_class, "AI_SERVICE_URL": cls.ai_service.url, **cls.settings}
        cls.service = cls.enterClassContext(Served(**settings))


def read_all(sock):
    """What comes on a socket until its end, or until its timeout passes without a byte."""
    received = b""
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while data := sock.recv(65536):
            received += data
    return received


def read_response(sock):
    """One response, as (head, body); without a Content-Length there is no body."""
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
