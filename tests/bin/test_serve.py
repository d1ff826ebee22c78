import pathlib
import subprocess
import tempfile
import unittest

from app import __version__
from tests.bin.checkout import DEADLINE, ROOT, environment
from tests.peers.service import Service


class ServeTest(unittest.TestCase):
    def run_serve(self, *arguments, **settings):
        return subprocess.run(
            [ROOT / "bin/serve", *arguments],
            cwd="/",
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env=environment(**settings),
        )

    def test_serve_becomes_gunicorn_passes_its_options_on_and_ends_with_its_status(self):
        with tempfile.TemporaryDirectory() as folder:
            with Service("--pid", f"{folder}/pid") as service:
                self.assertEqual(int(pathlib.Path(folder, "pid").read_text()), service.process.pid)
                service.process.terminate()
                self.assertEqual(service.wait(), 0)

    def test_a_bad_setting_ends_serve_with_status_2(self):
        ran = self.run_serve(PORT="none")
        self.assertEqual((ran.stdout, ran.returncode), ("", 2))
        self.assertRegex(ran.stderr, r"\A.*PORT.*\n\Z")

    def test_help_and_version_are_those_of_the_service_and_not_of_gunicorn(self):
        for option in ("-h", "--help"):
            ran = self.run_serve(option)
            self.assertEqual((ran.stderr, ran.returncode), ("", 0))
            self.assertTrue(ran.stdout.startswith("usage: server-health "), ran.stdout)
        ran = self.run_serve("--version")
        self.assertEqual((ran.stdout, ran.returncode), (f"server-health {__version__}\n", 0))

    def test_a_missing_gunicorn_is_reported_in_one_line(self):
        with tempfile.TemporaryDirectory() as folder:
            python = pathlib.Path(folder, "bin/python")
            python.parent.mkdir()
            python.write_text('#!/bin/sh\nexec "$PYTHON" -S "$@"\n')  # without site-packages
            python.chmod(0o755)
            ran = self.run_serve(VENV=folder)
        self.assertEqual((ran.stdout, ran.returncode), ("", 1))
        self.assertRegex(ran.stderr, r"\Aserver-health: .*gunicorn.*: pip install .+\n\Z")
