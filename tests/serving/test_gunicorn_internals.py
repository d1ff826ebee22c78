import unittest
from unittest import mock

from gunicorn.config import Config
from gunicorn.http import get_parser
from gunicorn.workers.gthread import TConn, ThreadWorker

from app.serving import gunicorn_internals


class FakeSocket:
    def setblocking(self, blocking):
        pass


class TestGunicornInternals(unittest.TestCase):
    def test_this_is_the_gunicorn_that_was_read(self):
        self.assertEqual(
            [],
            list(gunicorn_internals.differences()),
            "gunicorn has changed: read again what app/serving/gunicorn_internals.py lists, and what leans on it",
        )

    def test_a_worker_and_its_connections_have_the_attributes_that_are_used(self):
        worker = ThreadWorker(1, 2, [], None, 30, Config(), None)
        self.addCleanup(worker.tmp.close)
        conn = TConn(Config(), FakeSocket(), ("127.0.0.1", 1), ("127.0.0.1", 2))
        for owner, names in (
            (worker, gunicorn_internals.WORKER_ATTRIBUTES),
            (conn, gunicorn_internals.CONNECTION_ATTRIBUTES),
            (get_parser(Config(), [], None), ("unreader",)),
        ):
            for name in names:
                with self.subTest(f"{type(owner).__name__}.{name}"):
                    self.assertTrue(hasattr(owner, name), "gunicorn has changed: this is gone")

    def test_what_has_changed_is_said_by_name(self):
        names = {"gunicorn.util.no_such": (), "gunicorn.arbiter.Arbiter.reload": ("self", "x"), "gunicorn.SERVER": ()}
        with mock.patch.object(gunicorn_internals, "NAMES", names), mock.patch("gunicorn.__version__", "99"):
            self.assertEqual(
                [
                    f"this is gunicorn 99, and {gunicorn_internals.READ_VERSION} was read",
                    "gunicorn.util.no_such is gone",
                    "gunicorn.arbiter.Arbiter.reload takes ('self',), and not ('self', 'x')",
                ],
                list(gunicorn_internals.differences()),
            )
