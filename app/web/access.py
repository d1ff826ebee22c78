"""Who may see more than the probes: the status token, and the origins of browser pages."""

import base64
import hmac
from collections.abc import Collection

from flask import Flask, Response, request

from app.health.answers import PROBES
from app.web.responses import problem


def init_app(app: Flask, token: str) -> None:
    """With a `token`, let only those who know it see anything but the probes. Without, change nothing.

    `/ws` asks for itself, in the order of its own refusals.
    """
    if not token:
        return

    @app.before_request
    def ask() -> Response | None:
        if request.path in PROBES or request.path == "/ws":
            return None
        return refuse_stranger(token)


def refuse_stranger(token: str) -> Response | None:
    """401 for a request that does not carry `token` (empty: nobody is a stranger); None for one that does.

    As Bearer token, or as Basic password of any user: for programs and for a browser's dialog.
    """
    if not token or hmac.compare_digest(_presented(), token.encode()):
        return None
    response = problem(401)
    for scheme in ("Basic", "Bearer"):
        response.headers.add("WWW-Authenticate", f'{scheme} realm="server health", charset="UTF-8"')
    return response


def _presented() -> bytes:
    # Not by Flask's own reading, which takes a Bearer token with a `=` inside for a list of parameters, and gives up
    # on a user name that is not UTF-8.
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
    """Whether a page of `origin` (its header, None: no browser) may not talk to us.

    Its authority must be `host` as written, in any case: the scheme may differ, TLS often ends before us. Or it
    stands in `allowed`, which is lower-case.
    """
    if origin is None:
        return False
    origin = origin.lower()
    return origin.partition("://")[2] != host.lower() and origin not in allowed
