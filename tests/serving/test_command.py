"""What the platform sets of gunicorn, and the service decides."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tests.peers.service import ROOT, Service

DEMANDED = "--workers 4 --threads 2 --worker-class eventlet --bind [::1]:1 --preload --timeout 5 --keep-alive 1"


class OverruledTest(unittest.TestCase):
    def test_what_the_environment_sets_is_overruled_and_each_of_it_named_in_a_warning(self):
        with Service(GUNICORN_CMD_ARGS=f"{DEMANDED} --graceful-timeout 1", WEB_CONCURRENCY="3") as service:
            self.assertEqual(len(service.json("/health")["dependencies"]), 2)
            lines = [line for line in service.out if "is overruled" in line]
        named = {line.partition("gunicorn's ")[2].partition(" ")[0] for line in lines}
        self.assertEqual(
            named,
            {
                "workers=3",
                "workers=4",
                "threads=2",
                "worker_class=eventlet",
                "bind=['[::1]:1']",
                "preload_app=True",
                "timeout=5",
                "graceful_timeout=1",
                "keepalive=1",
            },
        )
        self.assertTrue(all(line.startswith("WARN: ") for line in lines), lines)

    def test_a_platform_that_sets_only_the_number_of_workers_is_overruled_too(self):
        with Service(WEB_CONCURRENCY="2") as service:
            [line] = [line for line in service.out if "is overruled" in line]
        self.assertTrue(
            line.endswith("gunicorn's workers=2 in the environment is overruled: for more capacity add replicas")
        )

    def test_what_no_setting_stands_for_is_kept(self):
        with tempfile.TemporaryDirectory() as folder, Service(GUNICORN_CMD_ARGS=f"--pid {folder}/pid") as service:
            self.assertEqual(int(Path(folder, "pid").read_text()), service.process.pid)
            self.assertNotIn("overruled", service.log)

    def test_a_number_of_workers_that_is_none_is_named_with_what_is_right(self):
        rule = "server-health: WEB_CONCURRENCY must be unset or a whole number: "
        for number, error in (
            ("auto", "invalid literal for int() with base 10: 'auto'"),
            ("-2", "Value must be positive: -2"),
        ):
            self.assertEqual(refusal(WEB_CONCURRENCY=number), f"{rule}{error}\n")

    def test_what_gunicorn_cannot_read_in_the_environment_is_named_with_its_variable(self):
        begin = "server-health: GUNICORN_CMD_ARGS: error: "
        for options, error in (
            ("--nonsense 3", "unrecognized arguments: --nonsense"),
            ("--backlog x", "argument --backlog: invalid int value: 'x'"),
            ('--pid "x', "No closing quotation"),
            ("--workers -3", "argument --workers: Value must be positive: -3"),
            ("--graceful-timeout -1", "argument --graceful-timeout: Value must be positive: -1"),
            ("--chdir /absent", "argument --chdir: can't chdir to '/absent'"),
            ("--user nobody-here", "argument --user: No such user: 'nobody-here'"),
        ):
            self.assertEqual(refusal(GUNICORN_CMD_ARGS=options).splitlines()[-1], begin + error)


def refusal(**environ):
    """What a start that ends with status 2 prints on stderr."""
    command = [sys.executable, "-m", "app.serving.command"]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("", 2), done
    return done.stderr
