"""The outermost WSGI layer, around applications that fail in every way there is."""

import unittest
from wsgiref.util import setup_testing_defaults

from app.web.panic_guard import PanicGuard
from app.web.responses import problem

PROBLEM = b'{"type":"about:blank","title":"Internal server error","status":500}\n'
ERRORS = (
    ValueError,
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
    RecursionError,
    MemoryError,
    AssertionError,
    ConnectionResetError,
    BaseException,
)


class Chunks:
    """A body that counts how often it is closed."""

    def __init__(self, *chunks, error=None, close_error=None):
        self._chunks, self._error, self._close_error = chunks, error, close_error
        self.closed = 0

    def __iter__(self):
        yield from self._chunks
        if self._error is not None:
            raise self._error

    def close(self):
        self.closed += 1
        if self._close_error is not None:
            raise self._close_error


def answering(body):
    def app(environ, start_response):
        start_response("200 OK", [("X-Mine", "1")])
        return body

    return app


class PanicGuardTest(unittest.TestCase):
    def serve(self, app, method="GET"):
        """What the WSGI server receives for one request: the calls of start_response, and the body."""
        environ = {"REQUEST_METHOD": method}
        setup_testing_defaults(environ)
        started = []

        def start_response(status, headers, exc_info=None):
            self.assertIsNone(exc_info)
            started.append((status, dict(headers)))

        body = b"".join(PanicGuard(app, problem(500, "Internal server error"))(environ, start_response))
        return started, body

    def assert_panic(self, app, method="GET", body=PROBLEM):
        """One problem+json response, and one line with its traceback in the log."""
        with self.assertLogs("app.web.panic_guard", "ERROR") as logged:
            ((status, headers),), received = self.serve(app, method)
        self.assertEqual((status, received), ("500 INTERNAL SERVER ERROR", body))
        self.assertEqual(headers["Content-Type"], "application/problem+json")
        self.assertEqual(headers["Cache-Control"], "no-store")
        self.assertEqual(headers["Content-Length"], str(len(PROBLEM)))
        self.assertNotIn("X-Mine", headers)
        [entry] = logged.records
        self.assertTrue(entry.getMessage().startswith("panic: "))
        self.assertIsNotNone(entry.exc_info[2])

    def test_an_answer_that_succeeds_passes_unchanged(self):
        for chunks in ([], [b""], [b"a"], [b"a", b"", b"b"], (b"a",), iter([b"a", b"b"]), Chunks(b"a", b"b")):
            expected = b"".join(chunks) if isinstance(chunks, (list, tuple)) else b"ab"
            with self.subTest(repr(chunks)), self.assertNoLogs():
                self.assertEqual(self.serve(answering(chunks)), ([("200 OK", {"X-Mine": "1"})], expected))

    def test_any_exception_of_a_view_becomes_one_500_and_one_line(self):
        for error in ERRORS:
            with self.subTest(error):

                def app(environ, start_response, error=error):
                    raise error("secret")

                self.assert_panic(app)
                self.assert_panic(app, "HEAD", b"")

    def test_an_exception_after_the_response_was_begun_becomes_a_500_alone(self):
        """Started twice, gunicorn would send the headers of both."""
        for error in ERRORS:
            with self.subTest(error):

                def app(environ, start_response, error=error):
                    start_response("200 OK", [("X-Mine", "1")])
                    raise error("secret")

                self.assert_panic(app)

    def test_an_exception_anywhere_in_the_body_becomes_a_500_and_the_body_is_closed(self):
        for error in ERRORS:
            for chunks in ((), (b"a", b"b")):
                with self.subTest(error, chunks=chunks):
                    body = Chunks(*chunks, error=error("secret"))
                    self.assert_panic(answering(body))
                    self.assertEqual(body.closed, 1)
            with self.subTest(error, closing=True):
                self.assert_panic(answering(Chunks(b"a", close_error=error("secret"))))

    def test_an_application_that_starts_no_response_or_has_no_body_fails(self):
        for app in (lambda environ, start_response: [b"a"], answering(None), answering(["text"])):
            self.assert_panic(app)

    def test_a_body_that_starts_the_response_itself_passes(self):
        def app(environ, start_response):
            start_response("201 Created", [])
            yield b"a"

        self.assertEqual(self.serve(app), ([("201 Created", {})], b"a"))

    def test_the_last_of_several_starts_counts(self):
        """Werkzeug's debugger and middleware with error pages start a response again."""

        def app(environ, start_response):
            start_response("200 OK", [])
            start_response("418 I'M A TEAPOT", [], (ValueError, ValueError("x"), None))
            return [b"tea"]

        self.assertEqual(self.serve(app), ([("418 I'M A TEAPOT", {})], b"tea"))

    def test_stop_iteration_passes(self):
        """With it flask-sock hands the connection over to the WebSocket."""

        def app(environ, start_response):
            raise StopIteration

        with self.assertNoLogs(), self.assertRaises(StopIteration):
            self.serve(app)
