"""The AI service, with every fault that a server can have."""

import enum
import socket
import struct
import time

from tests.peers.tcp_server import TcpServer

BODY = b'{"status":"ok"}'
DRIP_SECONDS = 0.05


class Mode(enum.Enum):
    """What the server does with a request."""

    OK = "200 and a small body, the connection kept"
    OK_THEN_CLOSE = "200 without a length, then the end"
    STATUS_503 = "503"
    REDIRECT = "302 to another path of its own, with a body that drips"
    RESET = "a reset"
    CLOSE = "the end, without a word"
    CLOSE_REUSED = "200 to the first request of a connection, the end of it to the second"
    RESET_REUSED_MIDWAY = "200 to the first, half a status line and a reset to the second"
    MUTE = "nothing"
    DRIP_HEAD = "an endless head, byte by byte"
    DRIP_BODY = "200, then a body with a length, byte by byte"
    DRIP_CHUNKS = "200, then the size of a chunk, byte by byte"
    ENDLESS_BODY = "200, then a body without an end, fast"
    GARBAGE = "no HTTP"
    PARTIAL = "half a status line, then the end"
    DELAY = "200, after `delay` seconds"


def answer(status, body=BODY, *headers):
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers, b"", b""]
    return b"\r\n".join(lines) + body


class FaultyAiService(TcpServer):
    """Serves HTTP as `mode` says, which may be changed at any time; what is under way goes on as it began.

    `tls`: an ssl context to serve https; without one, what is no HTTP (a client that begins TLS) is answered 400.
    `paths` are the requested paths, `times` when they were (monotonic), `most_at_once` how many were served at the same
    time to clients that had not given up.
    """

    def __init__(self, mode=Mode.OK, delay=0.0, tls=None):
        self.mode, self.delay = mode, delay
        self.paths, self.heads, self.times = [], [], []
        self.most_at_once = 0
        self._served = set()  # connections on which a request is under way; guarded by `changed`
        self._tls = tls
        super().__init__()

    @property
    def url(self):
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def requests(self):
        return len(self.paths)

    def wait_for_requests(self, count, timeout=5.0):
        return self.wait_for(lambda: self.requests >= count, timeout)

    def wrap(self, sock):
        if self._tls is None:
            return sock
        return self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)

    def serve(self, sock):
        requests = 0
        while (head := self._read_head(sock)) is not None:
            if not head[:1].isalpha():
                sock.sendall(answer(b"400 Bad Request", b"", b"Connection: close"))
                return
            requests += 1
            with self.changed:
                self.heads.append(head)
                self.paths.append(head.split(b" ")[1].decode())
                self.times.append(time.monotonic())
                self._served.add(sock)
                at_once = sum(not self.gone(each) for each in self._served)
                self.most_at_once = max(self.most_at_once, at_once)
                self.changed.notify_all()
            try:
                if not self._answer(sock, self.mode, requests):
                    return
            finally:
                with self.changed:
                    self._served.remove(sock)

    @staticmethod
    def _read_head(sock):
        """What has come up to the empty line, or up to where it is no HTTP; None at the end."""
        head = b""
        while b"\r\n\r\n" not in head:
            data = sock.recv(65536)
            if not data:
                return None
            head += data
            if not head[:1].isalpha():
                break
        return head

    def _answer(self, sock, mode, number):
        """Answer one request; whether the connection is kept."""
        first = number == 1
        match mode:
            case Mode.OK:
                sock.sendall(answer(b"200 OK"))
                return True
            case Mode.DELAY:
                self.ended.wait(self.delay)
                sock.sendall(answer(b"200 OK"))
                return True
            case Mode.STATUS_503:
                sock.sendall(answer(b"503 Service Unavailable"))
                return True
            case Mode.OK_THEN_CLOSE:
                sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY)
            case Mode.REDIRECT:
                sock.sendall(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 1000\r\n\r\n")
                self._drip(sock, b"x")
            case Mode.RESET:
                self._reset(sock)
            case Mode.CLOSE_REUSED if first:
                sock.sendall(answer(b"200 OK"))
                return True
            case Mode.RESET_REUSED_MIDWAY:
                if first:
                    sock.sendall(answer(b"200 OK"))
                    return True
                sock.sendall(b"HTTP/1.1 2")
                self._reset(sock)
            case Mode.MUTE:
                self.ignore(sock)
            case Mode.DRIP_HEAD:
                sock.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
                self._drip(sock, b"x")
            case Mode.DRIP_BODY:
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                self._drip(sock, b"x")
            case Mode.DRIP_CHUNKS:
                sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                self._drip(sock, b"0")
            case Mode.ENDLESS_BODY:
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n")
                while not self.ended.is_set():
                    sock.sendall(b"x" * 65536)
            case Mode.GARBAGE:
                sock.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            case Mode.PARTIAL:
                sock.sendall(b"HTTP/1.1 2")
        return False

    def _drip(self, sock, byte):
        while not self.ended.wait(DRIP_SECONDS):
            sock.sendall(byte)

    @staticmethod
    def _reset(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
