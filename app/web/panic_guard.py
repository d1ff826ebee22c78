"""The outermost WSGI layer: whatever escapes Flask, a SystemExit or a failed teardown, ends one request only."""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)


class PanicGuard:
    """Runs a WSGI application, and answers `response` if it fails.

    The body is collected before the response starts: started twice, gunicorn would send the headers of both.
    StopIteration passes: with it flask-sock hands the connection over to the WebSocket.
    """

    def __init__(self, app: "WSGIApplication", response: Response) -> None:
        self._app = app
        self._response = response

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        start: list[tuple[str, list[tuple[str, str]]]] = []

        def hold(status: str, headers: list[tuple[str, str]], *_: object) -> None:
            start[:] = [(status, headers)]

        try:
            chunks = self._app(environ, hold)  # type: ignore[arg-type]  # without the write() that nothing here uses
            try:
                body = b"".join(chunks)
            finally:
                getattr(chunks, "close", lambda: None)()
            [(status, headers)] = start
        except StopIteration:
            raise
        except BaseException as error:
            log.error("panic: %s", error, exc_info=error)
            return self._response(environ, start_response)
        start_response(status, headers)
        return [body]
