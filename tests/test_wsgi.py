"""The start of the process: bad settings end it before anything has begun; good ones are logged, and it runs."""

import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap
import unittest

from app import __version__

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECONDS = 60

BAD = {
    "PORT": "0",
    "MONGO_URI": "mongodb://user:hunter2@host/?bogus=hunter2",
    "AI_SERVICE_URL": "ftp://user:hunter2@host",
    "CHECK_INTERVAL_SECONDS": "0.5",
    "READINESS_REQUIRES": "redis",
    "WS_UPSTREAMS": "a=http://user:hunter2@host",
    "STATUS_TOKEN": "hunter2 and more",
}
COMPLAINTS = re.compile(
    r"PORT: must be a port, 1 to 65535, not '0'\n"
    r"MONGO_URI: must be [^\n]+\n"
    r"AI_SERVICE_URL: must be [^\n]+\n"
    r"CHECK_MAX_AGE_SECONDS: must be [^\n]+, not its default 1\n"
    r"READINESS_REQUIRES: must be [^\n]+, not 'redis'\n"
    r"WS_UPSTREAMS: must be [^\n]+\n"
    r"STATUS_TOKEN: must be [^\n]+\n"
)

# Reports every address that is listened at, connected to or looked up. (urllib3 binds a socket at its import, to find
# out whether there is IPv6.)
AUDITED = """
import socket, sys
def audit(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "_thread.start_new_thread"):
        print("AUDIT", event, file=sys.stderr)
    elif event == "socket.bind" and arguments[1][0] != "::1":
        print("AUDIT", event, arguments[1], file=sys.stderr)
sys.addaudithook(audit)
"""
GUNICORN = """
from gunicorn.app.wsgiapp import run
sys.argv = ["gunicorn", "--config", "python:app.serving.gunicorn_conf", *sys.argv[1:]]
run()
"""
RUNNING = """
import sys, threading
from app.wsgi import app
from app.factory import runtime_of
print("threads:", *sorted(thread.name for thread in threading.enumerate() if "-" in thread.name))
print("status:", app.test_client().get("/health/live").status_code)
runtime_of(app).watch.probe_fresh()  # a check under way would not be waited for, nor its client closed
runtime_of(app).stop()
"""


def run(program, *arguments, **environ):
    return subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", program, *arguments],
        cwd=ROOT,
        env={**minimal(), **environ},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def minimal():
    """The environment without anything that is a setting."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "COVERAGE_PROCESS_START") if name in os.environ}


class BadSettingsTest(unittest.TestCase):
    def assert_refused(self, done):
        self.assertRegex(done.stderr, rf"\A{COMPLAINTS.pattern}\Z")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertNotIn("hunter2", done.stderr)

    def test_gunicorn_ends_with_status_2_and_these_lines_only(self):
        """No traceback, no connection made, no address listened at, no thread started."""
        self.assert_refused(run(AUDITED + GUNICORN, **BAD))

    def test_gunicorn_ends_with_status_2_where_the_application_is_named_too(self):
        self.assert_refused(run(AUDITED + GUNICORN, "app.wsgi:app", "--bind", "127.0.0.1:0", **BAD))

    def test_any_other_server_that_imports_the_application_ends_with_status_2(self):
        self.assert_refused(run(AUDITED + "import app.wsgi", **BAD))

    def test_the_command_that_starts_the_service_ends_with_status_2(self):
        env = {**minimal(), **BAD, "VENV": sys.prefix}
        done = subprocess.run([ROOT / "bin/serve"], cwd="/", env=env, capture_output=True, text=True, timeout=SECONDS)
        self.assert_refused(done)


class StartTest(unittest.TestCase):
    SETTINGS = {
        "MONGO_URI": "mongodb://user:hunter2%2F@127.0.0.1:1/?serverSelectionTimeoutMS=100",
        "AI_SERVICE_URL": "http://user:hunter2@127.0.0.1:1",
        "STATUS_TOKEN": "hunter2-token",
        "WS_UPSTREAMS": "a=ws://user:hunter2@127.0.0.1:1/x",
    }

    def test_importing_the_application_starts_it_and_logs_its_settings_masked(self):
        done = run(RUNNING, **self.SETTINGS)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertTrue(lines[0].endswith(f" server-health {__version__}"), lines[0])
        self.assertRegex(lines[1], r"\AINFO: \d{4}/\d\d/\d\d \d\d:\d\d:\d\d settings: HOST=0\.0\.0\.0 PORT=8080 ")
        for shown in (
            "MONGO_URI=mongodb://***@127.0.0.1:1/?serverSelectionTimeoutMS=100",
            "AI_SERVICE_URL=http://***@127.0.0.1:1",
            "WS_UPSTREAMS=a=ws://***@127.0.0.1:1/x",
            "STATUS_TOKEN=***",
            "CA_BUNDLE=",
        ):
            with self.subTest(shown):
                self.assertIn(f" {shown} ", lines[1])
        (threads,) = (line for line in lines if line.startswith("threads:"))
        for name in ("checker-mongodb", "checker-ai_service", "deadline-mongodb", "deadline-ai_service"):
            self.assertIn(name, threads)
        self.assertIn("status: 200", lines)
        self.assertNotIn("hunter2", done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_a_machine_without_threads_ends_the_process_with_a_status_after_which_gunicorn_tries_again(self):
        no_threads = """
            import threading
            start = threading.Thread.start
            def refuse(thread):
                if thread.name.startswith("checker-"):
                    raise RuntimeError("can't start new thread")
                start(thread)
            threading.Thread.start = refuse
            import app.wsgi
        """
        done = run(textwrap.dedent(no_threads), **self.SETTINGS)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout + done.stderr, r"CRITICAL: .* cannot start: can't start new thread\n")

    def test_the_format_and_the_level_of_the_log_are_those_set(self):
        done = run(RUNNING, LOG_FORMAT="json", LOG_LEVEL="warn", **self.SETTINGS)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        self.assertEqual({json.loads(line)["level"] for line in lines}, {"WARNING"})

    def test_settings_that_are_too_long_for_a_line_of_the_log_fill_several(self):
        long = {
            "WS_UPSTREAMS": ",".join(f"n{number}=ws://127.0.0.1:1/{'x' * 100}" for number in range(30)),
            "WS_ALLOWED_ORIGINS": ",".join(f"https://{number}.example.com" for number in range(150)),
        }
        done = run("import app.wsgi", **long)
        shown = [line.partition(" settings: ")[2] for line in done.stdout.splitlines() if " settings: " in line]
        self.assertGreater(len(shown), 1)
        for name, value in long.items():
            self.assertIn(f" {name}={value} ", f" {' '.join(shown)} ")
