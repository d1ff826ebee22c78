"""gunicorn's configuration, derived from the settings: `gunicorn --config python:app.serving.gunicorn_conf`.

gunicorn takes the names in this module that are names of its settings.
"""

import os
import sys

from app import log_setup
from app.settings import Settings, SettingsError

try:
    _settings = Settings.load(os.environ)
except SettingsError as error:
    print(error, file=sys.stderr)
    sys.exit(2)

log_setup.configure(_settings.log_level, _settings.log_format, _settings.secrets())

wsgi_app = "app.wsgi:app"
bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
# One process: the connections and the truth are kept in it, and a second would double the checks.
workers = 1
worker_class = "gthread"
threads = _settings.ws_max_connections + _settings.http_threads
# The application starts threads and a MongoClient, which do not survive a fork.
preload_app = False
# The master gives a worker this long after SIGTERM before it kills it.
graceful_timeout = int(_settings.drain_seconds + _settings.shutdown_timeout_seconds) + 2
# By default gunicorn opens a control socket under $HOME, and a thread for it.
control_socket_disable = True
# The worker's heartbeat is a file: in memory, and writable where the root is read-only.
worker_tmp_dir = "/dev/shm"
logger_class = "app.serving.gunicorn_log.PropagatingLogger"


def worker_exit(server, worker):  # type: ignore[no-untyped-def]
    """gunicorn's hook: the worker's loop has ended."""
    from app.factory import runtime_of

    runtime_of(worker.wsgi).stop()
