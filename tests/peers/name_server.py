"""A name server that does not answer, for a program of its own: names on this machine are resolved as before."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from tests.requirement import need

ROOT = Path(__file__).parents[2]
ADDRESS = "127.0.0.77"
SECONDS = 1
"""How long a program waits for an answer before its look-up fails."""
IN_A_ROOM_OF_ITS_OWN = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'


@contextmanager
def mute_name_server():
    """Yields `run(program, *arguments)`, which runs Python code that asks nobody else; it gives its output."""
    need(os.geteuid() == 0 and shutil.which("unshare"), "root and unshare, to give a program another resolv.conf")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, tempfile.TemporaryDirectory() as folder:
        server.bind((ADDRESS, 53))
        conf = Path(folder, "resolv.conf")
        conf.write_text(f"nameserver {ADDRESS}\noptions timeout:{SECONDS} attempts:1\n")

        def run(program, *arguments):
            command = ["unshare", "--mount", "sh", "-euc", IN_A_ROOM_OF_ITS_OWN, "sh", str(conf)]
            command += [sys.executable, "-W", "error", "-X", "dev", "-c", program, *arguments]
            ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
            if ended.returncode != 0:
                raise AssertionError(ended.stderr)
            return ended.stdout

        yield run
