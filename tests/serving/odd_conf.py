"""gunicorn's configuration for tests: as it is, but MongoDB always answers, and some views and limits are odd.

In the environment, QUICK shortens the probe worker's own limits of 10 s, SOON_PLENTY the time until scarcity is over, and
EARLY_ADVICE the minute before a prober is judged; FEW_THREADS is how many threads the worker can start for requests, and
NO_USER_TIMEOUT stands for a system without TCP_USER_TIMEOUT.
"""

import math
import os
import select
import socket
import threading
import time

from flask import Response, request

from app import factory
from app.checks.check import Check
from app.checks.kinds import KINDS
from app.health import advice, probers
from app.serving import clients, probe_worker, scarcity
from app.serving.connection_table import Stage
from app.serving.gunicorn_conf import *  # noqa: F403  gunicorn reads the names that are its settings

ENDS = {"exit": SystemExit(3), "interrupt": KeyboardInterrupt(), "close": GeneratorExit(), "crash": ValueError("oops")}
BIG = 2 * 1024 * 1024  # more than the kernel keeps of an answer over a network
START_THREAD = threading.Thread.start


class AlwaysThere(Check):
    """Replaces MongoDB's check: what fails in these tests is the AI service, for which there is a stand-in."""

    def run(self, deadline):
        pass


class FewThreads:
    """How many threads can be started from now on."""

    left = math.inf


def start_thread(thread):
    """Replaces threading.Thread.start."""
    if FewThreads.left < 1:
        raise RuntimeError("can't start new thread")
    FewThreads.left -= 1
    START_THREAD(thread)


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

    @app.get("/big")
    def big():
        return Response(bytes(BIG), mimetype="application/octet-stream")

    @app.get("/end/<how>")
    def end(how):
        raise ENDS[how]

    @app.get("/threads/<float:left>")
    def threads(left):
        FewThreads.left = left
        return Response(mimetype="text/plain")

    return app


class FewThreadsWorker(probe_worker.ProbeWorker):
    """A worker that finds few threads left when its loop is about to start."""

    def run(self):
        FewThreads.left = int(os.environ["FEW_THREADS"])
        super().run()


KINDS["mongodb"] = KINDS["mongodb"]._replace(create=lambda config: AlwaysThere(config.name))
factory.create_app = create_app  # app.wsgi is imported later, in the worker
if "QUICK" in os.environ:
    clients.LIMITS |= {Stage.HEAD: 1.5, Stage.NEW: 1.5, Stage.SENDING: 1.5}
if "SOON_PLENTY" in os.environ:
    scarcity.PLENTY_SECONDS = 1.5
if "EARLY_ADVICE" in os.environ:
    advice.LEAST_SECONDS = probers.FLOOD_SECONDS = 1.0
    probers.PART_SECONDS = 0.25
if "FEW_THREADS" in os.environ:
    threading.Thread.start = start_thread
    worker_class = FewThreadsWorker
if "NO_USER_TIMEOUT" in os.environ:
    del socket.TCP_USER_TIMEOUT
