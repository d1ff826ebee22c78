"""The whole service, and `/slow`, which holds its thread until the service ends."""

import threading

from app.wsgi import app

_never = threading.Event()


@app.get("/slow")
def slow():
    _never.wait(60)
    return "awake"
