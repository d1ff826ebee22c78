"""bin/check-server-health.sh, with a PATH that contains only the commands named, and the server that it asks."""

import pathlib
import shutil
import socket
import subprocess
import tempfile
import unittest

from tests.bin.checkout import DEADLINE, ROOT, link_commands
from tests.peers.tcp_server import TcpServer
from tests.requirement import need

SCRIPT = ROOT / "bin/check-server-health.sh"


def http(body, status="200 OK", header=""):
    """A whole HTTP response, as bytes."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{header}\r\n"
    return head.encode() + body


class Peer(TcpServer):
    """Sends the pieces, `pause` seconds apart, to each client, and keeps the heads of the requests."""

    def __init__(self, *pieces, pause=0.0):
        self.heads = []
        self._pieces = pieces
        self._pause = pause
        super().__init__()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/health"

    def serve(self, sock):
        head = b""
        while b"\r\n\r\n" not in head and (data := sock.recv(65536)):
            head += data
        self.heads.append(head.decode())
        for piece in self._pieces:
            sock.sendall(piece)
            self.ended.wait(self._pause)
        sock.shutdown(socket.SHUT_WR)
        self.ignore(sock)  # closing with something unread would be a reset


class ScriptTest(unittest.TestCase):
    """A test with a folder for the script's PATHs and its home."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.home = self.folder / "home"
        self.home.mkdir()

    def run_script(self, *arguments, tools=("curl", "jq"), stdout=subprocess.PIPE, **environment):
        for tool in tools:
            need(shutil.which(tool), tool)
        path = self.folder / "-".join(("path", *tools))
        if not path.exists():
            path.mkdir()
            link_commands(path, "bash", *tools)
        return subprocess.run(
            [path / "bash", SCRIPT, *arguments],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DEADLINE,
            env={"PATH": str(path), "HOME": str(self.home)} | environment,
        )

    def ask(self, *pieces, options=(), pause=0.0, **how):
        """Run the script against a server that sends `pieces`; `heads` are then the heads of its requests."""
        with Peer(*pieces, pause=pause) as peer:
            self.heads = peer.heads
            return self.run_script("-u", peer.url, *options, **how)
