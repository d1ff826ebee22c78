"""Errors as problem+json, and panic recovery: the worker survives whatever a view raises."""

import logging
from types import TracebackType

from flask import Flask, Response
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, InternalServerError

from app.web.panic_guard import PanicGuard
from app.web.responses import problem

PANIC_TITLE = "Internal server error"

log = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    """Make `app` answer errors as problem+json and log a crash once, as `panic: …` with its traceback."""
    app.register_error_handler(HTTPException, _refused)
    # A handler for Exception would turn a 404 into a 500.
    app.register_error_handler(InternalServerError, _crashed)
    app.log_exception = _log_panic  # type: ignore[method-assign]  # Flask logs where it handles
    app.wsgi_app = PanicGuard(app.wsgi_app, problem(500, PANIC_TITLE))  # type: ignore[method-assign]


def _refused(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:
        return error
    response = problem(error.code, error.name)
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    if "Allow" in response.headers:  # Werkzeug keeps them in a set, whose order differs between processes
        response.headers["Allow"] = ", ".join(sorted(response.allow))
    return response


def _crashed(_error: InternalServerError) -> Response:
    return problem(500, PANIC_TITLE)


def _log_panic(exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None]) -> None:
    log.error("panic: %s", exc_info[1], exc_info=exc_info)
