"""A name server of the test's own, for a program of its own: names on this machine are resolved as before."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import dns.exception
import dns.message
import dns.rcode
import dns.rrset

from tests.requirement import need

ROOT = Path(__file__).parents[2]
# A name server's port is 53, so each run of the tests has an address of its own.
ADDRESS = f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
SECONDS = 4
"""How long a program waits for an answer before its look-up fails."""
IN_A_ROOM_OF_ITS_OWN = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'


@contextlib.contextmanager
def name_server(answer=None):
    """Yields `run(program, *arguments)`, which runs Python code that asks nobody else; it gives its output.

    `answer(name, kind)` gives the records of `"host.example.test"`, `"A"` as texts; None says that there is no such
    name. Without `answer` the server is mute.
    """
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

        if answer is None:
            yield run
            return
        thread = threading.Thread(target=_serve, args=(server, answer), name="name-server", daemon=True)
        thread.start()
        try:
            yield run
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", (ADDRESS, 53))
            thread.join(5)


def _serve(server, answer):
    """Answer every question, until an empty one."""
    while True:
        wire, client = server.recvfrom(4096)
        if not wire:
            return
        with contextlib.suppress(dns.exception.DNSException):  # no question
            query = dns.message.from_wire(wire)
            response = dns.message.make_response(query)
            name, kind = query.question[0].name, query.question[0].rdtype.name
            texts = answer(name.to_text(omit_final_dot=True), kind)
            if texts is None:
                response.set_rcode(dns.rcode.NXDOMAIN)
            elif texts:
                response.answer.append(dns.rrset.from_text(name, 1, "IN", kind, *texts))
            server.sendto(response.to_wire(), client)
