"""WebSocket peers of both directions on loopback. `python -m tests.peers.websocket upstream|client PORT` is one that
can be stopped and killed.
"""

import base64
import contextlib
import hashlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import serve
from werkzeug.test import create_environ

from tests.fakes import DEADLINE
from tests.peers.tcp_server import TcpServer

ROOT = Path(__file__).parents[2]
PARAMETERS = {"compression": None, "ping_interval": None}
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode(),
}
FIELDS = "".join(f"{name}: {value}\r\n" for name, value in UPGRADE.items())
HANDSHAKE = f"GET /ws HTTP/1.1\r\nHost: localhost\r\n{FIELDS}\r\n".encode()


@contextlib.contextmanager
def upstream(handler, tls=None):
    """A server of the `websockets` package in this process; yields its port."""
    server = serve(handler, "127.0.0.1", 0, ssl=tls, **PARAMETERS)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()
        thread.join(DEADLINE)


def read_all(websocket):
    """A handler for `upstream`, which reads until the end, whatever that is."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            websocket.recv()


def read_head(sock):
    """The bytes of an HTTP head, its empty line included; or what came before the end."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and (byte := sock.recv(1)):
        head += byte
    return head


def switching_protocols(head):
    """The answer that accepts a client's handshake."""
    key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    lines = (b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade")
    return b"\r\n".join((*lines, b"Sec-WebSocket-Accept: " + accept, b"", b""))


def frame(opcode, payload=b"", fin=True, rsv1=False):
    """A client's frame, masked with zeros."""
    head = bytes([fin << 7 | rsv1 << 6 | opcode])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        head += b"\xfe" + struct.pack("!H", len(payload))
    else:
        head += b"\xff" + struct.pack("!Q", len(payload))
    return head + bytes(4) + payload


class RawClient:
    """Shakes hands and sends `early` in one segment. Later it answers close frames when it reads them, but no pings."""

    def __init__(self, port, early=b"", receive_buffer=None):
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(("127.0.0.1", port))
        self.sock.sendall(HANDSHAKE + early)
        self.file = self.sock.makefile("rb")
        lines = iter(self.file.readline, b"\r\n")
        self.status = int(next(lines).split()[1])
        self.headers = list(lines)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()
        self.sock.close()

    def frames(self):
        """What comes, as (opcode, payload), until the stream ends. AssertionError if it ends within a frame."""
        while first := self.file.read(1):
            length = self.file.read(1)[0]
            if length > 125:
                size = 2 if length == 126 else 8
                length = int.from_bytes(self.file.read(size), "big")
            payload = self.file.read(length)
            assert len(payload) == length, "cut off in a frame"
            assert first[0] & 0xF0 == 0x80, f"not a frame of a server: {first + payload}"
            if first[0] & 15 == CLOSE:
                with contextlib.suppress(OSError):
                    self.sock.sendall(frame(CLOSE, payload[:2]))
            yield first[0] & 15, payload

    def message(self):
        return next(payload.decode() for opcode, payload in self.frames() if opcode == TEXT)

    def close_code(self):
        """The code of the last frame, which is a close frame; None if it is not."""
        *_, (opcode, payload) = self.frames()
        return struct.unpack("!H", payload[:2])[0] if opcode == CLOSE else None


class Host(TcpServer):
    """Serves a WSGI application as gunicorn does: its socket is in the environ, StopIteration means no answer."""

    def __init__(self, app):
        self.app = app
        super().__init__()

    def serve(self, sock):
        request, *lines = read_head(sock).decode("latin-1").split("\r\n")[:-2]
        method, path, _ = request.split(" ")
        headers = dict(line.split(": ", 1) for line in lines)
        environ = create_environ(path, f"http://{headers.pop('Host')}", method=method, headers=headers)
        with contextlib.suppress(StopIteration):
            body = self.app(
                environ | {"gunicorn.socket": sock},
                lambda status, headers, exc_info=None: sock.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode()),
            )
            sock.sendall(b"".join(body))


@contextlib.contextmanager
def process(*arguments):
    """This module as a process, once it is ready; yields the process and the line in which it said so."""
    command = [sys.executable, "-m", "tests.peers.websocket", *map(str, arguments)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}  # it may be killed
    peer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environ)
    try:
        yield peer, peer.stdout.readline().strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            peer.send_signal(signal.SIGCONT)
        peer.kill()
        peer.wait(DEADLINE)
        peer.stdout.close()


def main(role, *arguments):
    """An idle peer that answers pings."""
    if role == "upstream":
        server = serve(read_all, "127.0.0.1", 0, **PARAMETERS)
        print(server.socket.getsockname()[1], flush=True)
        server.serve_forever()
    else:
        with connect(f"ws://127.0.0.1:{arguments[0]}/ws", **PARAMETERS) as websocket:
            print("connected", flush=True)
            read_all(websocket)


if __name__ == "__main__":
    main(*sys.argv[1:])
