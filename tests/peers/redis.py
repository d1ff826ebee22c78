"""A real redis-server on loopback."""

import contextlib
import shutil
import tempfile

from tests.peers.ports import reserve_port
from tests.peers.program import running
from tests.requirement import need


@contextlib.contextmanager
def redis_server(*options, tls=None):
    """The port of a redis-server with `options`, words of its command line; `tls`: paths of certificate and key."""
    program = shutil.which("redis-server")
    need(program, "redis-server")
    with reserve_port() as reserved, tempfile.TemporaryDirectory() as folder:
        port = str(reserved.getsockname()[1])
        listen = ["--port", port]
        if tls:
            listen = ["--port", "0", "--tls-port", port, "--tls-auth-clients", "no"]
            listen += ["--tls-cert-file", tls[0], "--tls-key-file", tls[1]]
        command = [program, "--bind", "127.0.0.1", "--save", "", "--dir", folder, *listen, *options]
        with running(command, "Ready to accept connections"):
            yield int(port)
