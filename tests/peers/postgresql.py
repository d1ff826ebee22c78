"""A real PostgreSQL server on loopback."""

import contextlib
import pathlib
import shutil
import signal
import subprocess
import tempfile

from tests.peers.ports import reserve_port
from tests.peers.program import SECONDS, running
from tests.requirement import need

PASSWORD = "hunter2"


def _program(name):
    """The path of a program that Debian keeps beside each version of PostgreSQL."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


class PostgresqlServer:
    """A cluster of its own, with the user `postgres` and PASSWORD (SCRAM), that is started as often as wanted."""

    def __init__(self, folder):
        need(_program("initdb"), "postgresql")
        self._folder = pathlib.Path(folder)
        self.data = self._folder / "data"
        shutil.chown(folder, "postgres")  # it refuses to run as root
        self._run("initdb", "--auth=scram-sha-256", "--username=postgres", f"--pwfile={self._write_password()}")
        self._reserved = reserve_port()
        self.port = self._reserved.getsockname()[1]

    def close(self):
        self._reserved.close()

    def url(self, user="postgres", password=PASSWORD, database="postgres", **options):
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}?{query}"

    def running(self, *settings, ready="database system is ready to accept connections"):
        """A context in which it runs, with `settings` as in `max_connections=5`."""
        options = [word for setting in settings for word in ("-c", setting)]
        command = [_program("postgres"), "-D", str(self.data), "-p", str(self.port), "-h", "127.0.0.1", "-k", ""]
        return running(
            [*command, "-c", "fsync=off", *options], ready, signal.SIGQUIT, user="postgres", cwd=self._folder
        )

    def _write_password(self):
        path = self._folder / "password"
        path.write_text(PASSWORD)
        shutil.chown(path, "postgres")
        return path

    def _run(self, name, *arguments):
        command = [_program(name), "-D", str(self.data), *arguments]
        subprocess.run(command, user="postgres", cwd=self._folder, check=True, capture_output=True, timeout=SECONDS)


@contextlib.contextmanager
def postgresql():
    """A PostgresqlServer that goes with its files at the end."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o711)
        server = PostgresqlServer(folder)
        try:
            yield server
        finally:
            server.close()
