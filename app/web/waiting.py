"""How a view lets the server know that its thread is about to wait and not to compute."""

from contextlib import nullcontext

from flask import request

from app.health.watch import Waiting

ENVIRON_KEY = "server_health.waiting"
"""Where a server that bounds how many requests compute puts a function: it returns a context for the wait."""


def waiting() -> Waiting:
    """The function of the server behind the current request, or one that does nothing."""
    found: Waiting = request.environ.get(ENVIRON_KEY, nullcontext)
    return found
