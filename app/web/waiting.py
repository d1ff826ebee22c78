"""How a view lets the server know that its thread is about to wait and not to compute."""

from contextlib import nullcontext
from typing import TYPE_CHECKING

from app.health.watch import Waiting

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

ENVIRON_KEY = "server_health.waiting"
"""Where a server that bounds how many requests compute puts a function: it returns a context for the wait."""


def waiting(environ: "WSGIEnvironment") -> Waiting:
    """The function of the server behind a request, or one that does nothing."""
    found: Waiting = environ.get(ENVIRON_KEY, nullcontext)
    return found
