"""The signals by which gunicorn's master changes the number of its workers or replaces itself: not here."""

import logging
from functools import partial
from typing import Any

SIGNALS = {
    "hup": "settings are read at start only",
    "ttin": "there is one process, add replicas",
    "ttou": "there is one process",
    "usr2": "replace the replica",
}

log = logging.getLogger(__name__)


def ignore_signals(arbiter: Any) -> None:
    """Have gunicorn's master ignore them, with one line each time."""
    for name, reason in SIGNALS.items():
        setattr(arbiter, f"handle_{name}", partial(log.warning, "SIG%s is ignored: %s", name.upper(), reason))
