"""Counts the requests of probers that Flask answers."""

from collections.abc import Mapping

from flask import Flask, Response, g, request

from app.health.answers import DETAILS, METRICS
from app.health.prober_kinds import product_of
from app.health.probers import Probers

ENVIRON_KEY = "server_health.asked"
"""Where the server behind finds what has been asked (Asked), to count that its client left before the answer."""


def init_app(app: Flask, probers: Probers, probes: Mapping[str, str]) -> None:
    """Count each request for a route of `probes`, for the details and for the metrics.

    Before access is refused: a prober without the token is seen by its 401.
    """
    routes = {**probes, DETAILS: DETAILS, METRICS: METRICS}

    @app.before_request
    def arrived() -> None:
        route = routes.get(request.path)
        if route is not None and request.method in ("GET", "HEAD"):
            environ = request.environ
            product = product_of(environ.get("HTTP_USER_AGENT", ""))
            environ[ENVIRON_KEY] = g.asked = probers.ask(environ.get("REMOTE_ADDR", ""), product, route)

    @app.after_request
    def answered(response: Response) -> Response:
        if (asked := g.get("asked")) is not None:
            asked.prober.last_status = response.status_code
        return response
