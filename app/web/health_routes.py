"""The health routes, as a blueprint for any Flask application."""

import time
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from app.health.answers import LIVE, PROBES, ProbeAnswers
from app.health.report import Report, to_json
from app.health.watch import HealthWatch
from app.web.responses import json_response
from app.web.waiting import waiting

Facts = Callable[[], dict[str, Any]]


def create_health_blueprint(
    watch: HealthWatch, answers: ProbeAnswers, facts: Facts, wall: Callable[[], float] = time.time
) -> Blueprint:
    """The paths of `answers`, and `/health/details`.

    `facts` returns what the details hold beside the checks. All answer GET and HEAD, JSON, never stored. Every route
    but liveness can make a request wait, as the rule for probes demands.
    """
    routes = Blueprint("health", __name__)

    def now() -> int:
        return int(wall() * 1000)

    def report() -> Report:
        # Werkzeug's parsing of this header, which is hardly ever present, costs a tenth of a whole request.
        if "HTTP_CACHE_CONTROL" in request.environ and any(
            directive.lower() == "no-cache" for directive in request.cache_control
        ):
            return watch.probe_fresh(waiting())
        return watch.probe(waiting())

    def probe() -> Response:
        path = request.path
        known = None if path == LIVE else report()
        return json_response(*answers.answer(path, known, now()))

    for path in PROBES:
        routes.add_url_rule(path, path, probe, methods=["GET"])

    @routes.get("/health/details")
    def details() -> Response:
        known = report()
        body = {**known.health(now()), "checks": known.checks(), **facts()}
        return json_response(answers.health_status(known), to_json(body))

    return routes
