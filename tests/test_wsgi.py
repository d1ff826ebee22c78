"""The start of the process: with bad settings it ends before anything is begun, with good ones it says so and runs."""

import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

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

# Tells of every address that is listened at, connected to or looked up. (urllib3 binds a socket at its import, to see
# whether there is IPv6.)
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
    """The environment without what would set something."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "COVERAGE_PROCESS_START") if name in os.environ}


class BadSettingsTest(unittest.TestCase):
    def assert_refused(self, done):
        self.assertRegex(done.stderr, rf"\A{COMPLAINTS.pattern}\Z")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertNotIn("hunter2", done.stderr)

    def test_gunicorn_ends_with_status_2_and_these_lines_only(self):
        """No traceback, nobody connected to, nothing listened at, no thread started."""
        self.assert_refused(run(AUDITED + GUNICORN, **BAD))

    def test_so_does_gunicorn_when_the_application_is_named(self):
        self.assert_refused(run(AUDITED + GUNICORN, "app.wsgi:app", "--bind", "127.0.0.1:0", **BAD))

    def test_so_does_any_other_server_that_imports_the_application(self):
        self.assert_refused(run(AUDITED + "import app.wsgi", **BAD))

    def test_the_command_that_starts_the_service_passes_it_on(self):
        done = subprocess.run(
            [ROOT / "bin/serve"], cwd="/", env={**minimal(), **BAD}, capture_output=True, text=True, timeout=SECONDS
        )
        self.assert_refused(done)


class StartTest(unittest.TestCase):
    SETTINGS = {
        "MONGO_URI": "mongodb://user:hunter2%2F@127.0.0.1:1/?serverSelectionTimeoutMS=100",
        "AI_SERVICE_URL": "http://user:hunter2@127.0.0.1:1",
        "STATUS_TOKEN": "hunter2-token",
        "WS_UPSTREAMS": "a=ws://user:hunter2@127.0.0.1:1/x",
    }

    def test_to_import_the_application_is_to_start_it_and_to_log_its_settings_masked(self):
        done = run(RUNNING, **self.SETTINGS)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], r"\AINFO: \d{4}/\d\d/\d\d \d\d:\d\d:\d\d settings: HOST=0\.0\.0\.0 PORT=8080 ")
        for shown in (
            "MONGO_URI=mongodb://***@127.0.0.1:1/?serverSelectionTimeoutMS=100",
            "AI_SERVICE_URL=http://***@127.0.0.1:1",
            "WS_UPSTREAMS=a=ws://***@127.0.0.1:1/x",
            "STATUS_TOKEN=***",
            "CA_BUNDLE=",
        ):
            with self.subTest(shown):
                self.assertIn(f" {shown} ", lines[0])
        (threads,) = (line for line in lines if line.startswith("threads:"))
        for name in ("checker-mongodb", "checker-ai_service", "deadline-mongodb", "deadline-ai_service"):
            self.assertIn(name, threads)
        self.assertIn("status: 200", lines)
        self.assertNotIn("hunter2", done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_the_logs_form_and_level_are_as_set(self):
        done = run(RUNNING, LOG_FORMAT="json", LOG_LEVEL="warn", **self.SETTINGS)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        self.assertEqual({json.loads(line)["level"] for line in lines}, {"WARNING"})
