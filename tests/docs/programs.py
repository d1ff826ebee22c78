"""The programs that read what the pages show."""

import subprocess
import tempfile
import unittest
from pathlib import Path

from app.settings import Settings
from tests.docs.pages import FILES

DEFAULTS = Settings.load({})
SHUTDOWN_SECONDS = DEFAULTS.drain_seconds + DEFAULTS.shutdown_timeout_seconds + 2


def run(*command, **options):
    """A finished command, with its output as text."""
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)


class Folder(unittest.TestCase):
    """A test with a folder for the files of the pages."""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def write(self, name, contents=None):
        """The path of a file of the pages, or of one with other contents, in the folder."""
        path = self.folder / name
        path.write_text(FILES[name] if contents is None else contents)
        return path

    def assert_accepted(self, done):
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
