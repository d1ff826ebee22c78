"""gunicorn's configuration for tests: as it is, but MongoDB is always there, and some views misbehave.

Also for tests: QUICK in the environment makes the probe worker's own limits of 10 s shorter.
"""

import os
import select
import time

from flask import Response, request

from app import factory
from app.checks.check import Check
from app.serving import probe_worker
from app.serving.gunicorn_conf import *  # noqa: F403  gunicorn takes the names it knows

ENDS = {"exit": SystemExit(3), "interrupt": KeyboardInterrupt(), "close": GeneratorExit(), "crash": ValueError("oops")}


class AlwaysThere(Check):
    """In place of MongoDB's check: what is wrong in these tests is the AI service, for which there is a stand-in."""

    def run(self, deadline):
        pass


def create_app(settings, create=factory.create_app):
    app = create(settings)

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

    return app


factory.MongoDbCheck = lambda name, *_: AlwaysThere(name)
factory.create_app = create_app  # app.wsgi is imported later, in the worker
if "QUICK" in os.environ:
    probe_worker.HEAD_SECONDS = probe_worker.SEND_SECONDS = 1.5
