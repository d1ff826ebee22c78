"""gunicorn's master: which signals it ignores, and that it outlives a machine that has no process to spare."""

import logging
import os
from functools import partial
from typing import Any

# By these, gunicorn's master changes the number of its workers or replaces itself.
SIGNALS = {
    "hup": "settings are read at start only",
    "ttin": "there is one process, add replicas",
    "ttou": "there is one process",
    "usr2": "replace the replica",
}

log = logging.getLogger(__name__)


def prepare(arbiter: Any) -> None:
    """Change gunicorn's master before it starts its worker."""
    for name, reason in SIGNALS.items():
        setattr(arbiter, f"handle_{name}", partial(log.warning, "SIG%s is ignored: %s", name.upper(), reason))
    arbiter.spawn_worker = partial(_spawn, arbiter, arbiter.spawn_worker)


def _spawn(arbiter: Any, spawn_worker: Any) -> None:
    """Start a worker; without a process, a descriptor or memory for it, leave that to the master's next turn, a second
    later: gunicorn would end the service."""
    try:
        spawn_worker()
    except OSError as error:
        if os.getpid() != arbiter.pid:
            raise  # in the new process, which must not go on as a second master
        log.error("no worker can be started: %s", error.strerror)
