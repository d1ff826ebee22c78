"""An application that crashes in every way on demand."""

import os

import flask_sock
from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException

from app.logs import rate_limit
from app.logs.setup import configure
from app.web import error_handlers

ERRORS = {
    error.__name__: error
    for error in (ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, RecursionError, MemoryError, StopIteration)
}
SECRET = "hunter2"


class SeeOther(HTTPException):
    """No error, though it is raised."""

    code = 303


class Handled(Exception):
    """Has an error handler, which fails."""


def create_app():
    app = Flask("crashing", static_folder=None)
    error_handlers.init_app(app)
    sock = flask_sock.Sock(app)

    def crash_in(place):
        if request.path == f"/{place}":
            raise ValueError(SECRET)

    app.before_request(lambda: crash_in("before_request"))
    app.after_request(lambda response: crash_in("after_request") or response)
    app.teardown_request(lambda _: crash_in("teardown_request"))
    for place in ("before_request", "after_request", "teardown_request"):
        app.add_url_rule(f"/{place}", place, lambda: "never seen")

    @app.get("/pid")
    def pid():
        return str(os.getpid())

    @app.get("/raise/<name>")
    def raise_(name):
        raise ERRORS[name](SECRET)

    @app.get("/recursion")
    def recursion():
        return recursion()

    @app.get("/none")
    def none():
        return None

    @app.get("/abort/<int:status>")
    def aborted(status):
        abort(status, SECRET)

    @app.get("/see_other")
    def see_other():
        raise SeeOther("over there")

    @app.get("/own_response")
    def own_response():
        abort(Response("mine", 418))

    @app.get("/error_handler")
    def error_handler():
        raise Handled

    @app.errorhandler(Handled)
    def fail(_error):
        raise ValueError(SECRET)

    @app.get("/first_chunk/<name>")
    def first_chunk(name):
        def chunks():
            raise ERRORS[name](SECRET)
            yield

        return Response(chunks())

    @app.get("/second_chunk/<name>")
    def second_chunk(name):
        def chunks():
            yield b"a"
            raise ERRORS[name](SECRET)

        return Response(chunks())

    @app.get("/slashed/")
    def slashed():
        return "here"

    @sock.route("/ws")
    def echo(ws):
        ws.send(ws.receive())

    return app


def serve():
    """The application that a real gunicorn serves, with the logs of the real service."""
    rate_limit.MOST = 1000  # the tests count them all
    configure("INFO", "text", ())
    return create_app()
