"""What the probe worker and the way of leaving lean on in gunicorn beyond its documented settings and hooks.

A list to read again, function by function, before gunicorn is replaced by another version.
"""

import inspect
from collections.abc import Iterator
from pkgutil import resolve_name

import gunicorn

READ_VERSION = "27.0.1"

# Overridden, replaced or called, with the parameters that are relied on; () also where it is no function.
NAMES: dict[str, tuple[str, ...]] = {
    "gunicorn.SERVER": (),
    "gunicorn.arbiter.Arbiter.handle_hup": ("self",),
    "gunicorn.arbiter.Arbiter.handle_ttin": ("self",),
    "gunicorn.arbiter.Arbiter.handle_ttou": ("self",),
    "gunicorn.arbiter.Arbiter.handle_usr2": ("self",),
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
    "gunicorn.workers.gthread.ThreadWorker.enqueue_req": ("self", "conn"),
    "gunicorn.workers.gthread.ThreadWorker.finish_request": ("self", "conn", "fs"),
    "gunicorn.workers.gthread.ThreadWorker.handle": ("self", "conn"),
    "gunicorn.workers.gthread.ThreadWorker.handle_request": ("self", "req", "conn"),
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
    "worker_connections",
)
CONNECTION_ATTRIBUTES = ("data_ready", "initialized", "parser", "sock", "timeout")


def differences() -> Iterator[str]:
    """One sentence for each way in which the gunicorn that is installed is not the one that was read."""
    if gunicorn.__version__ != READ_VERSION:
        yield f"this is gunicorn {gunicorn.__version__}, and {READ_VERSION} was read"
    for name, parameters in NAMES.items():
        try:
            found = _parameters(resolve_name(name))
        except AttributeError:
            yield f"{name} is gone"
        else:
            if found != parameters:
                yield f"{name} takes {found}, and not {parameters}"


def _parameters(found: object) -> tuple[str, ...]:
    return tuple(inspect.signature(found).parameters) if callable(found) else ()
