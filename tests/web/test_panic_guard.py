"""The outermost WSGI layer, around applications that fail in every way there is."""

import errno
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


class Server:
    """What a WSGI server sees of one request."""

    def __init__(self):
        self.started = []
        self.body = []
        self.broken_off = None

    def start_response(self, status, headers, exc_info=None):
        assert exc_info is None, "nothing was sent that would have to be replaced"
        self.started.append((status, dict(headers)))
        return self.body.append

    def serve(self, app, method="GET", take=None):
        """As PEP 3333 has it, gunicorn included; `take`: the client goes after so many chunks."""
        environ = {"REQUEST_METHOD": method}
        setup_testing_defaults(environ)
        try:
            chunks = app(environ, self.start_response)
            try:
                for chunk in chunks:
                    self.body.append(chunk)
                    if take is not None and len(self.body) >= take:
                        break
            finally:
                if hasattr(chunks, "close"):
                    chunks.close()
        except OSError as error:
            self.broken_off = error
        return self


class Chunks:
    """A body that notes that it was closed."""

    def __init__(self, chunks, close_error=None):
        self._chunks = iter(chunks)
        self._close_error = close_error
        self.closed = 0

    def __iter__(self):
        return self._chunks

    def close(self):
        self.closed += 1
        if self._close_error is not None:
            raise self._close_error


def answering(body):
    def app(environ, start_response):
        start_response("200 OK", [("X-Mine", "1")])
        return body

    return app


def failing(*chunks, error):
    yield from chunks
    raise error


class PanicGuardTest(unittest.TestCase):
    def serve(self, app, panics=0, **options):
        """Serve one request; `panics` is how many lines it is to log."""
        guard = PanicGuard(app, problem(500, "Internal server error"))
        if not panics:
            with self.assertNoLogs():
                return Server().serve(guard, **options)
        with self.assertLogs() as logged:
            server = Server().serve(guard, **options)
        self.assertEqual(len(logged.records), panics)
        for entry in logged.records:
            self.assertEqual((entry.name, entry.levelname), ("app.web.panic_guard", "ERROR"))
            self.assertTrue(entry.getMessage().startswith("panic: "))
            self.assertIsNotNone(entry.exc_info[2])
        return server

    def assert_problem(self, server):
        ((status, headers),) = server.started
        self.assertEqual(status, "500 INTERNAL SERVER ERROR")
        self.assertEqual(headers["Content-Type"], "application/problem+json")
        self.assertEqual(headers["Cache-Control"], "no-store")
        self.assertEqual(headers["Content-Length"], str(len(PROBLEM)))
        self.assertNotIn("X-Mine", headers)
        self.assertEqual(b"".join(server.body), PROBLEM)
        self.assertIsNone(server.broken_off)

    def test_what_works_passes_untouched(self):
        for chunks in ([], [b""], [b"a"], [b"a", b"", b"b"], (b"a",), iter([b"a", b"b"])):
            with self.subTest(repr(chunks)):
                body = list(chunks) if isinstance(chunks, (list, tuple)) else [b"a", b"b"]
                server = self.serve(answering(chunks))
                self.assertEqual(server.started, [("200 OK", {"X-Mine": "1"})])
                self.assertEqual(server.body, body)

    def test_whatever_a_view_raises_becomes_one_500_and_one_line(self):
        for error in ERRORS:
            with self.subTest(error):

                def app(environ, start_response, error=error):
                    raise error("secret")

                self.assert_problem(self.serve(app, panics=1))

    def test_so_it_does_after_the_response_was_begun(self):
        """Started twice, gunicorn would send the headers of both."""
        for error in ERRORS:
            with self.subTest(error):

                def app(environ, start_response, error=error):
                    start_response("200 OK", [("X-Mine", "1")])
                    raise error("secret")

                self.assert_problem(self.serve(app, panics=1))

    def test_so_it_does_in_a_generator_before_its_first_chunk(self):
        for error in ERRORS:
            with self.subTest(error):
                body = Chunks(failing(error=error("secret")))
                self.assert_problem(self.serve(answering(body), panics=1))
                self.assertEqual(body.closed, 1)

    def test_a_generator_that_starts_the_response_itself_works(self):
        def app(environ, start_response):
            start_response("201 Created", [])
            yield b"a"

        server = self.serve(app)
        self.assertEqual((server.started, server.body), ([("201 Created", {})], [b"a"]))

    def test_a_body_that_is_none_is_a_crash(self):
        self.assert_problem(self.serve(answering(None), panics=1))

    def test_a_head_request_gets_no_body(self):
        def app(environ, start_response):
            raise ValueError("secret")

        server = self.serve(app, panics=1, method="HEAD")
        self.assertEqual((server.started[0][0][:3], b"".join(server.body)), ("500", b""))

    def test_what_fails_in_the_middle_is_logged_once_and_cuts_the_connection(self):
        """A broken pipe is what gunicorn closes the connection for without a word of its own."""
        for error in ERRORS:
            with self.subTest(error):
                body = Chunks(failing(b"a", b"b", error=error("secret")))
                server = self.serve(answering(body), panics=1)
                self.assertEqual((len(server.started), server.body), (1, [b"a", b"b"]))
                self.assertEqual(server.broken_off.errno, errno.EPIPE)
                self.assertNotIn("secret", repr(server.broken_off))
                self.assertIsNone(server.broken_off.__cause__)
                self.assertEqual(body.closed, 1)

    def test_what_was_written_the_old_way_can_only_be_cut(self):
        def writes_then_fails(environ, start_response):
            start_response("200 OK", [])(b"a")
            raise ValueError("secret")

        def writes_then_fails_to_begin(environ, start_response):
            start_response("200 OK", [])(b"a")
            return failing(error=ValueError("secret"))

        for app in (writes_then_fails, writes_then_fails_to_begin):
            with self.subTest(app.__name__):
                server = self.serve(app, panics=1)
                self.assertEqual((len(server.started), server.body), (1, [b"a"]))
                self.assertEqual(server.broken_off.errno, errno.EPIPE)

    def test_the_last_of_several_starts_is_the_one_that_counts(self):
        """As Werkzeug's debugger or a middleware of error pages does it."""

        def app(environ, start_response):
            start_response("200 OK", [])
            start_response("418 I'M A TEAPOT", [], (ValueError, ValueError("x"), None))
            return [b"tea"]

        server = self.serve(app)
        self.assertEqual((server.started, server.body), ([("418 I'M A TEAPOT", {})], [b"tea"]))

    def test_a_start_after_the_first_bytes_raises_what_made_it(self):
        def app(environ, start_response):
            start_response("200 OK", [])(b"a")
            error = ValueError("secret")
            start_response("500 X", [], (ValueError, error, error.__traceback__))

        self.assertEqual(len(self.serve(app, panics=1).started), 1)

    def test_a_body_that_cannot_be_closed_is_logged_and_the_answer_stands(self):
        for error in ERRORS:
            with self.subTest(error):
                server = self.serve(answering(Chunks([b"a"], error("secret"))), panics=1)
                self.assertEqual((server.started[0][0], server.body), ("200 OK", [b"a"]))
                self.assertIsNone(server.broken_off)

    def test_a_client_that_goes_in_the_middle_is_no_crash(self):
        ended = []

        def chunks():
            try:
                yield b"a"
                yield b"b"
            finally:
                ended.append(True)

        for take in (1, 2):
            with self.subTest(take):
                self.serve(answering(chunks()), take=take)
        self.assertEqual(ended, [True, True])

    def test_stop_iteration_passes(self):
        """With it flask-sock tells gunicorn that the socket is no longer its business."""

        def app(environ, start_response):
            raise StopIteration

        with self.assertNoLogs(), self.assertRaises(StopIteration):
            PanicGuard(app, problem(500))({}, None)

    def test_one_answer_serves_every_crash(self):
        def app(environ, start_response):
            raise ValueError("secret")

        guard = PanicGuard(app, problem(500, "Internal server error"))
        for _ in range(3):
            with self.assertLogs():
                self.assert_problem(Server().serve(guard))
