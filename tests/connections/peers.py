"""Real peers on loopback: upstreams, clients, a host for inbound sockets; some are processes.

`python -m tests.connections.peers upstream|client …` runs one, which can be stopped and killed.
"""

import contextlib
import datetime
import ipaddress
import itertools
import os
import pathlib
import select
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import serve

from tests.connections.fakes import DEADLINE

ROOT = pathlib.Path(__file__).parent.parent.parent
PARAMETERS = {"compression": None, "ping_interval": None}


def eventually(condition, within=DEADLINE):
    """Wait until `condition()` is true and give it back; AssertionError when it is not in time."""
    end = time.monotonic() + within
    pause = threading.Event()
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError("it did not become true in time")
        pause.wait(0.005)
    return value


def threads_named(*prefixes):
    return [thread for thread in threading.enumerate() if thread.name.startswith(prefixes)]


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def resident_bytes():
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def upstream(handler, tls=None, port=0, **options):
    """A server of the `websockets` package in this process; yields its port."""
    server = serve(handler, "127.0.0.1", port, ssl=tls, **(PARAMETERS | options))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()
        thread.join(DEADLINE)


def read_all(websocket):
    """A handler that reads until the end, whatever that is."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            websocket.recv()


@contextlib.contextmanager
def raw_server(*scripts, family=socket.AF_INET, host="127.0.0.1"):
    """Accepts TCP connections; the n-th is handed to the n-th of `scripts`, or the last of them.

    Yields the port and a list of the monotonic times of the connections.
    """
    listener = socket.create_server((host, 0), family=family)
    accepted, times, threads = [], [], []
    chain = itertools.chain(scripts, itertools.repeat(scripts[-1]))

    def accept():
        for script in chain:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            times.append(time.monotonic())
            accepted.append(sock)
            thread = threading.Thread(target=run, args=(script, sock))
            threads.append(thread)
            thread.start()

    def run(script, sock):
        with contextlib.suppress(OSError):
            script(sock)

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield listener.getsockname()[1], times
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        acceptor.join(DEADLINE)
        listener.close()
        for sock in accepted:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(DEADLINE)
        for sock in accepted:
            sock.close()


def read_head(sock):
    """The bytes of an HTTP head, its empty line included."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        if not byte:
            raise ConnectionResetError
        head += byte
    return head


def environ_of(sock, head):
    """What a WSGI server would make of a request's head."""
    request, *lines = head.decode("latin-1").split("\r\n")
    method, path, protocol = request.split(" ")
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "SERVER_PROTOCOL": protocol, "gunicorn.socket": sock}
    for line in filter(None, lines):
        name, _, value = line.partition(":")
        environ["HTTP_" + name.strip().upper().replace("-", "_")] = value.strip()
    return environ


def wsgi_like(handle):
    """A script that does what a WSGI server does: `handle(environ)`, then close the original."""

    def script(sock):
        handle(environ_of(sock, read_head(sock)))
        sock.close()

    return script


def http_answer(status):
    def script(sock):
        read_head(sock)
        sock.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nLocation: ws://127.0.0.1:1/\r\n\r\n".encode())

    return script


def drip(text, interval):
    """A script that sends `text` a byte at a time, over and over, until the peer has enough."""

    def script(sock):
        for byte in itertools.cycle(text):
            sock.sendall(bytes([byte]))
            if select.select([sock], [], [], interval)[0] and not sock.recv(4096):
                return

    return script


def mute(sock):
    """A script that reads and says nothing."""
    while sock.recv(4096):
        pass


@contextlib.contextmanager
def process(*arguments):
    """This module as a process, once it is ready; `.said` is the line in which it said so."""
    peer = subprocess.Popen(
        [sys.executable, "-m", "tests.connections.peers", *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        peer.said = peer.stdout.readline().strip()
        yield peer
    finally:
        with contextlib.suppress(ProcessLookupError):
            peer.send_signal(signal.SIGCONT)
        peer.kill()
        peer.wait(DEADLINE)
        peer.stdout.close()


class Certificate:
    """A self-signed certificate for localhost and 127.0.0.1, made on the spot."""

    def __init__(self):
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        now = datetime.datetime.now(datetime.UTC)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(key, hashes.SHA256())
        )
        self._folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self._folder.name, "certificate.pem")
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with open(self.path, "wb") as file:
            file.write(private + certificate.public_bytes(serialization.Encoding.PEM))
        self.server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server_context.load_cert_chain(self.path)

    def close(self):
        self._folder.cleanup()


def main(role, *arguments):
    """upstream | client PORT: an idle peer that answers pings."""
    if role == "upstream":
        server = serve(read_all, "127.0.0.1", 0, **PARAMETERS)
        print(server.socket.getsockname()[1], flush=True)
        server.serve_forever()
    elif role == "client":
        with connect(f"ws://127.0.0.1:{arguments[0]}/", **PARAMETERS) as websocket:
            print("connected", flush=True)
            read_all(websocket)


if __name__ == "__main__":
    main(*sys.argv[1:])
