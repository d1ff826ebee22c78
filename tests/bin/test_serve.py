import pathlib
import subprocess
import tempfile
import unittest

from tests.bin.checkout import DEADLINE, ROOT, environment, link_commands
from tests.peers.service import Service


class ServeTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def run_serve(self, *arguments, **settings):
        return subprocess.run(
            [ROOT / "bin/serve", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env=environment(**settings),
        )

    def test_serve_becomes_gunicorn_and_ends_with_its_status(self):
        with Service() as service:
            command = pathlib.Path(f"/proc/{service.process.pid}/cmdline").read_text().split("\0")
            self.assertIn("app.wsgi:app", command)
            self.assertTrue(command[1].endswith("/gunicorn"), command)
            service.process.terminate()
            self.assertEqual(service.wait(), 0)

    def test_a_bad_setting_ends_serve_with_status_2(self):
        ran = self.run_serve(PORT="none")
        self.assertEqual((ran.stdout, ran.returncode), ("", 2))
        self.assertRegex(ran.stderr, r"\A.*PORT.*\n\Z")

    def test_the_gunicorn_on_path_is_used_without_a_virtual_environment(self):
        gunicorn = self.folder / "gunicorn"
        gunicorn.write_text('#!/bin/sh\npwd\necho "$@"\n')
        gunicorn.chmod(0o755)
        ran = self.run_serve("--threads", "7", PATH=link_commands(self.folder, "bash", "dirname"), VENV="nowhere")
        self.assertEqual(
            ran.stdout, f"{ROOT}\n--config python:app.serving.gunicorn_conf app.wsgi:app --threads 7\n", ran.stderr
        )

    def test_a_missing_gunicorn_is_reported_in_one_line(self):
        ran = self.run_serve(PATH=link_commands(self.folder, "bash", "dirname"), VENV="nowhere")
        self.assertEqual((ran.stdout, ran.returncode), ("", 1))
        self.assertRegex(ran.stderr, r"\Abin/serve: no gunicorn .+\n\Z")
