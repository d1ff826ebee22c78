"""gunicorn's configuration, derived from the settings: `gunicorn --config python:app.serving.gunicorn_conf`.

gunicorn reads the names in this module that are names of its settings; the functions are its hooks.
"""

import sys
from typing import Any

from gunicorn import util

from app.factory import runtime_of
from app.serving import answer_bytes, final_config, master, shutdown
from app.startup import load_settings

_settings = load_settings()
_probe = _settings.worker_class == "probe"
wsgi_app = "app.wsgi:app"
bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
worker_class = "app.serving.probe_worker.ProbeWorker" if _probe else "gthread"
# Connections and results are kept in one process.
workers = 1
# A WebSocket holds its thread for as long as it lives: with this many, all of them cannot hold the last one.
threads = _settings.ws_max_connections + _settings.http_threads
worker_connections = threads + 1000
# Longer than proxies keep their idle connections (60 s is common), or they send requests into a closing one. On the
# stock worker gunicorn's own 2 s: there nothing makes room when idle connections have taken all places.
keepalive = 75 if _probe else 2
# The application starts threads and a MongoClient, which do not survive a fork.
preload_app = False
# The master kills a worker whose loop has not shown itself for so long, and one this long after SIGTERM.
timeout = 30
graceful_timeout = int(_settings.drain_seconds + _settings.shutdown_timeout_seconds) + 2
# No header changes path or scheme, wherever it comes from; that any peer may send them saves parsing its address.
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
forwarded_allow_ips = "*"
http_parser = "python"
# By default gunicorn opens a control socket under $HOME, and a thread for it.
control_socket_disable = True
worker_tmp_dir = final_config.heartbeat_folder()
logger_class = "app.serving.gunicorn_log.PropagatingLogger"


def nworkers_changed(server: Any, new_value: int, old_value: int | None) -> None:
    """First of all hooks: gunicorn's configuration is final, and nothing is preloaded yet."""
    if old_value is not None:
        return
    # Beside the socket that gunicorn counts, a WebSocket has three: a socket of its own and a pipe. So has an upstream.
    websockets = _settings.ws_max_connections + len(_settings.ws_upstreams)
    needed = server.cfg.worker_connections + 3 * websockets + final_config.OTHER_DESCRIPTORS
    complaints = final_config.complaints(server.cfg, threads) or final_config.raise_descriptor_limit(needed)
    if complaints:
        print("\n".join(complaints), file=sys.stderr)
        sys.exit(2)


def on_starting(server: Any) -> None:
    """The master is about to handle signals and to start its worker."""
    master.prepare(server)


def post_worker_init(worker: Any) -> None:
    """The application is loaded, the worker's loop is about to start."""
    util.write_error = answer_bytes.write_error
    worker.shutdown = shutdown.Shutdown(
        worker, runtime_of(worker.wsgi), _settings.drain_seconds, _settings.shutdown_timeout_seconds
    )
    worker.shutdown.prepare()


def pre_request(worker: Any, req: Any) -> None:
    """A request has been parsed and is about to be answered.

    With a body it is the last on its connection: nothing here reads bodies. gunicorn drains an unread one after the
    answer, holding a thread for up to 5 s, and answers a second time if it is malformed.
    """
    if runtime_of(worker.wsgi).draining or getattr(req.body.reader, "length", True):
        req.force_close()


def worker_exit(server: Any, worker: Any) -> None:
    """The worker's loop has ended. The master calls this too, for a worker whose end it has not noticed."""
    if hasattr(worker, "shutdown"):
        error = sys.exc_info()[1]
        status = error.code if isinstance(error, SystemExit) else 1
        worker.shutdown.ended(status if isinstance(status, int) else 0)
