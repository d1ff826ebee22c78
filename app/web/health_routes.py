"""The health routes, as a blueprint for any Flask application."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from app.health.answers import DETAILS, HEALTH, LIVE, ProbeAnswers
from app.health.formats import health_json, text
from app.health.report import Report, to_json
from app.health.watch import HealthWatch
from app.web.negotiation import chosen
from app.web.responses import json_response, response
from app.web.waiting import waiting

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

JSON, HEALTH_JSON, TEXT = "application/json", "application/health+json", "text/plain"
Facts = Callable[[], dict[str, Any]]


def create_health_blueprint(
    watch: HealthWatch, answers: ProbeAnswers, facts: Facts, wall: Callable[[], float] = time.time
) -> Blueprint:
    """The probes of `answers`, and `/health/details`.

    `facts` returns what the details hold beside the checks. All answer GET and HEAD, and no cache may store the answer.
    Every route but liveness can make a request wait, as the rule for probes demands.
    """
    routes = Blueprint("health", __name__)

    def now() -> int:
        return int(wall() * 1000)

    def report(environ: "WSGIEnvironment") -> Report:
        # Werkzeug's parsing of this header, which is hardly ever present, costs a tenth of a whole request.
        if "HTTP_CACHE_CONTROL" in environ and any(
            directive.lower() == "no-cache" for directive in request.cache_control
        ):
            return watch.probe_fresh(waiting(environ))
        return watch.probe(waiting(environ))

    def format_of(environ: "WSGIEnvironment", offered: Sequence[str]) -> str:
        accept = environ.get("HTTP_ACCEPT")
        return chosen(accept, offered) if accept else offered[0]

    def probe(route: str) -> Response:
        environ = request.environ  # looked up once: each look-up costs 1 µs
        known = None if route == LIVE else report(environ)
        answer = answers.answer(route, known, now())
        varies = route == HEALTH
        if varies and known is not None and format_of(environ, (JSON, HEALTH_JSON)) == HEALTH_JSON:
            return varying(response(answer.status, health_json(known), HEALTH_JSON))
        return json_response(*answer, varies)

    for path, route in answers.routes.items():
        routes.add_url_rule(path, path, partial(probe, route), methods=["GET"])

    @routes.get(DETAILS)
    def details() -> Response:
        environ = request.environ
        known = report(environ)
        status, timestamp = answers.health_status(known), now()
        match format_of(environ, (JSON, HEALTH_JSON, TEXT)):
            case "application/health+json":
                return varying(response(status, health_json(known), HEALTH_JSON))
            case "text/plain":
                return varying(response(status, text(known, timestamp, facts()), f"{TEXT}; charset=utf-8"))
        body = {**known.health(timestamp), "degraded": known.degraded, "checks": known.checks(), **facts()}
        return json_response(status, to_json(body), varies=True)

    return routes


def varying(response: Response) -> Response:
    """`response`, marked as one whose format depends on the request's Accept header."""
    response.headers["Vary"] = "Accept"
    return response
