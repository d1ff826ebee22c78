"""gunicorn is still what the code that leans on it was written for.

Beyond gunicorn's documented settings and hooks, app/serving leans on what is listed here. Read it again, function by
function, before gunicorn is replaced by another version.
"""

import inspect
import unittest
from pkgutil import resolve_name

import gunicorn
from gunicorn.config import Config
from gunicorn.http import get_parser
from gunicorn.workers.gthread import TConn, ThreadWorker

READ_VERSION = "27.0.1"
AGAIN = "gunicorn has changed: read again what this module lists, and what leans on it"

# Overridden, replaced or called, with the parameters that are relied on; () also where it is not a function.
NAMES = {
    "gunicorn.SERVER": (),
    "gunicorn.arbiter.Arbiter.handle_hup": ("self",),
    "gunicorn.arbiter.Arbiter.handle_ttin": ("self",),
    "gunicorn.arbiter.Arbiter.handle_ttou": ("self",),
    "gunicorn.arbiter.Arbiter.handle_usr2": ("self",),
    "gunicorn.arbiter.Arbiter.spawn_worker": ("self",),
    "gunicorn.glogging.Logger.setup": ("self", "cfg"),
    "gunicorn.http.message.Request.force_close": ("self",),
    "gunicorn.http.unreader.Unreader.take_buffered": ("self",),
    "gunicorn.http.unreader.Unreader.unread": ("self", "data"),
    "gunicorn.util.http_date": ("timestamp",),
    "gunicorn.util.write_error": ("sock", "status_int", "reason", "mesg"),
    "gunicorn.util.write_nonblock": ("sock", "data", "chunked"),
    "gunicorn.workers.gthread.PollableMethodQueue.defer": ("self", "callback", "args"),
    "gunicorn.workers.gthread.STOP_KEEPALIVE_LINGER": (),
    "gunicorn.workers.gthread.TConn.__init__": ("self", "cfg", "sock", "client", "server"),
    "gunicorn.workers.gthread.TConn.close": ("self", "graceful"),
    "gunicorn.workers.gthread.TConn.init": ("self",),
    "gunicorn.workers.gthread.ThreadWorker._cap_keepalive": ("self", "deadline"),
    "gunicorn.workers.gthread.ThreadWorker.accept": ("self", "listener"),
    "gunicorn.workers.gthread.ThreadWorker.get_thread_pool": ("self",),
    "gunicorn.workers.gthread.ThreadWorker.handle": ("self", "conn"),
    "gunicorn.workers.gthread.ThreadWorker.run": ("self",),
    "gunicorn.workers.gthread.ThreadWorker.set_accept_enabled": ("self", "enabled"),
    "gunicorn.workers.gthread.ThreadWorker.wait_for_and_dispatch_events": ("self", "timeout"),
}
WORKER_ATTRIBUTES = (
    "alive",
    "cfg",
    "method_queue",
    "nr_conns",
    "pending_conns",
    "poller",
    "ppid",
    "sockets",
    "tpool",
    "worker_connections",
)
CONNECTION_ATTRIBUTES = ("client", "data_ready", "parser", "sock", "timeout")


class FakeSocket:
    def setblocking(self, blocking):
        pass


class TestGunicornInternals(unittest.TestCase):
    def test_this_is_the_version_that_was_read(self):
        self.assertEqual(gunicorn.__version__, READ_VERSION, AGAIN)

    def test_every_name_exists_with_the_parameters_that_are_relied_on(self):
        for name, parameters in NAMES.items():
            with self.subTest(name):
                found = resolve_name(name)
                self.assertEqual(
                    tuple(inspect.signature(found).parameters) if callable(found) else (), parameters, AGAIN
                )

    def test_a_worker_and_its_connections_have_the_attributes_that_are_used(self):
        worker = ThreadWorker(1, 2, [], None, 30, Config(), None)
        self.addCleanup(worker.tmp.close)
        conn = TConn(Config(), FakeSocket(), ("127.0.0.1", 1), ("127.0.0.1", 2))
        for owner, names in (
            (worker, WORKER_ATTRIBUTES),
            (conn, CONNECTION_ATTRIBUTES),
            (get_parser(Config(), [], None), ("unreader",)),
        ):
            for name in names:
                with self.subTest(f"{type(owner).__name__}.{name}"):
                    self.assertTrue(hasattr(owner, name), AGAIN)
