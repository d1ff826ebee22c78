"""Access to more than the probes: the status token, and the origins of browser pages."""

import base64
import hmac
from collections.abc import Collection, Container

from flask import Flask, Response, request

from app.web.responses import problem


def init_app(app: Flask, token: str, probes: Container[str]) -> None:
    """With a `token`, every path but those of the `probes` requires it. Without one, change nothing.

    `/ws` requires it by itself, in the order of its own refusals.
    """
    if not token:
        return

    @app.before_request
    def ask() -> Response | None:
        if request.path in probes or request.path == "/ws":
            return None
        return refuse_stranger(token)


def refuse_stranger(token: str) -> Response | None:
    """401 for a request without `token`; None for one with it, and for every request if the token is empty.

    It is sent as a Bearer token by programs, or as the Basic password of any user by a browser's dialog.
    """
    if not token or hmac.compare_digest(_presented(), token.encode()):
        return None
    response = problem(401)
    for scheme in ("Basic", "Bearer"):
        response.headers.add("WWW-Authenticate", f'{scheme} realm="server health", charset="UTF-8"')
    return response


def _presented() -> bytes:
    # Flask's own parser reads a Bearer token with a `=` inside as a list of parameters, and gives up on a user name
    # that is not UTF-8.
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return credentials.strip().encode("utf-8", "replace")
        case "basic":
            try:
                return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
            except ValueError:
                return b""
    return b""


def foreign_origin(origin: str | None, host: str, allowed: Collection[str]) -> bool:
    """Whether a page of `origin` (the header; None: not a browser) may not open a WebSocket here.

    Its authority must equal `host` as written, in any case: the scheme may differ, because TLS often ends in front of
    this service. Otherwise the origin must be in `allowed`, which is lower-case.
    """
    if origin is None:
        return False
    origin = origin.lower()
    return origin.partition("://")[2] != host.lower() and origin not in allowed
