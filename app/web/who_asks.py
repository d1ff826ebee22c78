"""Counts the requests of probers that Flask answers."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from app.health.answers import DETAILS, METRICS
from app.health.prober_kinds import product_of
from app.health.probers import Probers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ENVIRON_KEY = "server_health.asked"
"""Where the server behind finds what has been asked (Asked), to count that its client left before the answer."""


class WhoAsks:
    """Runs a WSGI application, and counts each request for a route of `probes`, for the details and for the metrics.

    Around all of Flask: a prober without the token is seen by its 401, and a hook of Flask would cost twice as much.
    """

    def __init__(self, app: "WSGIApplication", probers: Probers, probes: Mapping[str, str]) -> None:
        self._app = app
        self._probers = probers
        self._routes = {**probes, DETAILS: DETAILS, METRICS: METRICS}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        route = self._routes.get("/" + environ["PATH_INFO"].lstrip("/"))  # as Werkzeug reads a path
        if route is None or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return self._app(environ, start_response)
        product = product_of(environ.get("HTTP_USER_AGENT", ""))
        asked = environ[ENVIRON_KEY] = self._probers.ask(environ.get("REMOTE_ADDR", ""), product, route)

        def start(status: str, headers: list[tuple[str, str]], *error: object) -> object:
            asked.prober.last_status = int(status[:3])
            return start_response(status, headers, *error)  # type: ignore[arg-type]

        return self._app(environ, start)  # type: ignore[arg-type]
