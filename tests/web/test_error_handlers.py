"""Errors as problem+json, and panic recovery, in Flask and under a real gunicorn."""

import contextlib
import os
import re
import signal
import sys
import threading
import unittest

from websockets.sync.client import connect

from tests.peers.ports import free_port
from tests.peers.service import Gunicorn
from tests.web.crashing_app import ERRORS, SECRET, create_app

SECONDS = 30.0
PROBLEM = b'{"type":"about:blank","title":"Internal server error","status":500}\n'
CRASHES = (
    *(f"/raise/{name}" for name in ERRORS),
    # A generator cannot raise StopIteration: Python makes a RuntimeError of it.
    *(f"/first_chunk/{name}" for name in ERRORS),
    *(f"/second_chunk/{name}" for name in ERRORS),
    "/recursion",
    "/none",
    "/before_request",
    "/after_request",
    "/teardown_request",
    "/error_handler",
)


class ErrorsTest(unittest.TestCase):
    """4xx and what is raised on purpose: answered, not logged."""

    def setUp(self):
        self.client = create_app().test_client()

    def test_are_problems_with_the_phrase_of_their_code_as_title(self):
        for path, status, title in (
            ("/absent", 404, "Not Found"),
            ("/abort/400", 400, "Bad Request"),
            ("/abort/401", 401, "Unauthorized"),
            ("/abort/403", 403, "Forbidden"),
            ("/abort/413", 413, "Request Entity Too Large"),
            ("/abort/429", 429, "Too Many Requests"),
            ("/abort/503", 503, "Service Unavailable"),
        ):
            with self.subTest(path), self.assertNoLogs():
                response = self.client.get(path)
                self.assertEqual(response.status_code, status)
                self.assertEqual(response.content_type, "application/problem+json")
                self.assertEqual(response.headers["Cache-Control"], "no-store")
                self.assertEqual(response.get_json(), {"type": "about:blank", "title": title, "status": status})

    def test_an_internal_server_error_raised_on_purpose_looks_like_a_crash(self):
        with self.assertNoLogs():
            response = self.client.get("/abort/500")
        self.assertEqual((response.status_code, response.data), (500, PROBLEM))

    def test_headers_that_belong_to_the_error_stay(self):
        response = self.client.post("/none")
        self.assertEqual(response.status_code, 405)
        self.assertEqual(set(response.headers["Allow"].split(", ")), {"GET", "HEAD", "OPTIONS"})
        self.assertEqual(response.headers.getlist("Content-Type"), ["application/problem+json"])
        self.assertEqual(response.headers.getlist("Content-Length"), [str(len(response.data))])

    def test_a_head_request_gets_the_headers_only(self):
        response = self.client.head("/absent")
        self.assertEqual((response.status_code, response.data), (404, b""))
        self.assertEqual(response.content_type, "application/problem+json")

    def test_a_redirect_is_no_error(self):
        response = self.client.get("/slashed")
        self.assertEqual(response.status_code, 308)
        self.assertTrue(response.headers["Location"].endswith("/slashed/"))
        self.assertEqual(self.client.get("/see_other").status_code, 303)

    def test_a_response_given_instead_of_an_error_stays(self):
        response = self.client.get("/own_response")
        self.assertEqual((response.status_code, response.data), (418, b"mine"))


class CrashTest(unittest.TestCase):
    """Logged once, answered 500."""

    def assert_crash(self, app, path, method="GET"):
        with self.assertLogs() as logged:
            response = app.test_client().open(path, method=method)
        self.assertEqual((response.status_code, response.content_type), (500, "application/problem+json"))
        self.assertEqual(response.data, b"" if method == "HEAD" else PROBLEM)
        self.assertEqual(response.headers["Cache-Control"], "no-store")
        self.assertNotIn(SECRET, str(response.headers))
        panics = [entry for entry in logged.records if entry.getMessage().startswith("panic: ")]
        self.assertEqual(len(panics), 1, logged.output)
        self.assertIsNotNone(panics[0].exc_info[2])
        return [entry for entry in logged.records if entry not in panics]

    def test_each_is_one_panic_and_one_problem(self):
        for path in CRASHES:
            with self.subTest(path):
                others = self.assert_crash(create_app(), path)
                if path != "/after_request":
                    self.assertEqual(others, [])

    def test_an_after_request_function_that_fails_twice_is_logged_twice(self):
        """It is called again, for the response that tells of the first."""
        (other,) = self.assert_crash(create_app(), "/after_request")
        self.assertTrue(other.getMessage().startswith("Request finalizing failed"))

    def test_a_head_request_is_answered_likewise(self):
        for path in ("/raise/ValueError", "/raise/SystemExit"):
            with self.subTest(path):
                self.assertEqual(self.assert_crash(create_app(), path, "HEAD"), [])

    def test_debugging_and_testing_do_not_change_that(self):
        for flag in ("debug", "testing"):
            for path in ("/raise/ValueError", "/none", "/teardown_request"):
                with self.subTest(flag, path=path):
                    app = create_app()
                    setattr(app, flag, True)
                    self.assertEqual(self.assert_crash(app, path), [])


class RealServerTest(unittest.TestCase):
    """No crash ends the worker or is noticed by any other client."""

    def setUp(self):
        port = free_port()
        options = ("--worker-class", "gthread", "--threads", "8", "--bind", f"127.0.0.1:{port}", "--no-control-socket")
        command = [sys.executable, "-m", "gunicorn", *options, "tests.web.crashing_app:serve()"]
        self.server = self.enterContext(Gunicorn(command, os.environ, port, "/pid"))

    def test_the_worker_survives_all_of_them_and_parallel_requests_do_not_notice(self):
        pid = self.server.get("/pid").body
        with self.watchers(pid) as unharmed:
            for path in CRASHES:
                with self.subTest(path):
                    status, headers, body = self.server.get(path)
                    self.assertEqual(
                        (status, headers["Content-Type"], body), (500, "application/problem+json", PROBLEM)
                    )
            with connect(f"ws://127.0.0.1:{self.server.port}/ws") as socket:
                socket.send("hello")
                self.assertEqual(socket.recv(SECONDS), "hello")
        self.assertGreater(unharmed(), 0)
        self.assertEqual(self.server.get("/pid").body, pid)
        self.server.signal(signal.SIGTERM)
        self.server.wait()
        lines = self.server.lines
        panics = [line for line in lines if line.startswith("ERROR: ")]
        self.assertEqual(sum(" panic: " in line for line in panics), len(CRASHES))
        self.assertEqual(len(panics), len(CRASHES) + 1)  # the second one of after_request
        # gunicorn itself reports only that it started and stopped.
        self.assertEqual([line for line in lines if re.search(r"\[(WARNING|ERROR|CRITICAL)\]", line)], [])
        self.assertEqual(sum("Booting worker" in line for line in lines), 1)

    @contextlib.contextmanager
    def watchers(self, pid, number=3):
        """Clients that ask all the time; yields a function that returns how many answers, all good, they have."""
        over = threading.Event()
        answers, failures = [], []

        def ask():
            try:
                while not over.is_set():
                    answers.append(self.server.get("/pid"))
                    if answers[-1].status != 200 or answers[-1].body != pid:
                        failures.append(answers[-1])
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=ask) for _ in range(number)]
        for thread in threads:
            thread.start()
        try:
            yield lambda: len(answers)
        finally:
            over.set()
            for thread in threads:
                thread.join(SECONDS)
        self.assertEqual(failures, [])
