"""SecantusDB: a MongoDB with authentication, TLS and a primary that can step down, in an environment of its own."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pymongo

from tests.peers.mongo import MongoProcess
from tests.requirement import need

PINS = Path(__file__).with_suffix(".txt")
BUILD = Path(__file__).parents[2] / "build"


def program():
    """The path of the server, which is installed on first use: a minute, 145 MB, never where the service is."""
    environment = BUILD / f"secantusdb-{sys.version_info.major}.{sys.version_info.minor}"
    BUILD.mkdir(exist_ok=True)
    with open(f"{environment}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed = environment / PINS.name
        if not installed.exists() or installed.read_bytes() != PINS.read_bytes():
            pip = [
                environment / "bin/pip",
                "install",
                "--require-hashes",
                "--no-deps",
                "--only-binary=:all:",
                "-r",
                PINS,
            ]
            for command in ([sys.executable, "-m", "venv", "--clear", environment], pip):
                ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                need(ended.returncode == 0, f"what {PINS.name} names: {ended.stdout[-500:]}")
            installed.write_bytes(PINS.read_bytes())
    return environment / "bin/secantusd-py"


class SecantusDb(MongoProcess):
    """The only member, and so the primary, of the replica set `secantus`; `options` are those of its command line.

    `user` is made before the server starts with the options.
    """

    def __init__(self, *options, user=None, password=None):
        self._program = program()
        self._options = options if user is None else ()
        super().__init__()
        if user is not None:
            with pymongo.MongoClient(self.uri) as client:
                client.admin.command("createUser", user, pwd=password, roles=["root"])
            self.kill()
            self._options = options
            self.start()

    def command(self):
        place = [
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--storage-path",
            self.folder / "data",
            "--sync-on-commit",
        ]
        return [self._program, *place, *self._options]
