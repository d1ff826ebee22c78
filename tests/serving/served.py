"""The service as a WSGI application for gunicorn, its MongoDB always there, with views that misbehave."""

import select
import time

from flask import Response, request

from app import factory
from app.health.checks import Check


class AlwaysThere(Check):
    """In place of MongoDB's check: what is wrong in these tests is the AI service, which the test stands in for."""

    def _ask(self, deadline):
        pass


factory.MongoCheck = lambda _uri, timeout: AlwaysThere("mongodb", timeout)

from app.wsgi import app  # noqa: E402  it makes the application as it is imported

ENDS = {"exit": SystemExit(3), "interrupt": KeyboardInterrupt(), "close": GeneratorExit(), "crash": ValueError("oops")}


@app.get("/slow/<float:seconds>")
def slow(seconds):
    time.sleep(seconds)
    return Response("slept", mimetype="text/plain")


@app.get("/stuck")
def stuck():
    """For as long as the client stays."""
    select.select([request.environ["gunicorn.socket"]], [], [], 60)
    return Response("gone", mimetype="text/plain")


@app.get("/end/<how>")
def end(how):
    raise ENDS[how]
