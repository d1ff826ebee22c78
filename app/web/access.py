"""Who may see more than the probes: the status token, and the origins of browser pages."""

import hmac
from collections.abc import Collection

from flask import Flask, Response, request

from app.web.responses import problem

PROBES = frozenset({"/health", "/health/live", "/health/ready"})


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
    if not token or hmac.compare_digest(_presented().encode("utf-8", "replace"), token.encode()):
        return None
    response = problem(401)
    for scheme in ("Basic", "Bearer"):
        response.headers.add("WWW-Authenticate", f'{scheme} realm="server health", charset="UTF-8"')
    return response


def _presented() -> str:
    credentials = request.authorization
    if credentials is None:
        return ""
    if credentials.type == "basic":
        return credentials.password or ""
    return (credentials.token or "") if credentials.type == "bearer" else ""


def foreign_origin(origin: str | None, host: str, allowed: Collection[str]) -> bool:
    """Whether a page of `origin` (its header, None: no browser) may not talk to us.

    Its authority must be `host` as written, in any case: the scheme may differ, TLS often ends before us. Or it
    stands in `allowed`, which is lower-case.
    """
    if origin is None:
        return False
    origin = origin.lower()
    return origin.partition("://")[2] != host.lower() and origin not in allowed
