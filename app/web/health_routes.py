"""The health routes, as a blueprint for any Flask application."""

import time
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from app.health.answers import Answer, ProbeAnswers
from app.health.report import Report, to_json
from app.health.watch import HealthWatch
from app.web.responses import json_response

Facts = Callable[[], dict[str, Any]]


def create_health_blueprint(
    watch: HealthWatch, answers: ProbeAnswers, facts: Facts, wall: Callable[[], float] = time.time
) -> Blueprint:
    """`/health`, `/health/live`, `/health/ready` and `/health/details`.

    `facts` gives what the details hold beside the checks. All answer GET and HEAD, JSON, never stored. All
    but liveness can make a request wait, as the probe's rule says.
    """
    routes = Blueprint("health", __name__)

    def route(rule: str) -> Callable[[Callable[[], Response]], None]:
        def add(view: Callable[[], Response]) -> None:
            routes.add_url_rule(rule, view.__name__, view, methods=["GET"], provide_automatic_options=False)

        return add

    def now() -> int:
        return int(wall() * 1000)

    def report() -> Report:
        # Werkzeug's parsing of a header that is hardly ever there costs a tenth of a whole request.
        if "HTTP_CACHE_CONTROL" in request.environ:
            if any(directive.lower() == "no-cache" for directive in request.cache_control):
                return watch.probe_fresh()
        return watch.probe()

    def answered(rule: str, answer: Answer) -> Response:
        answers.count(rule, answer.status)
        return json_response(*answer)

    @route("/health")
    def health() -> Response:
        known = report()
        return answered("/health", answers.health(known, now()))

    @route("/health/live")
    def live() -> Response:
        return answered("/health/live", answers.live())

    @route("/health/ready")
    def ready() -> Response:
        return answered("/health/ready", answers.ready(report()))

    @route("/health/details")
    def details() -> Response:
        known = report()
        body = {**known.health(now()), "checks": known.checks(), **facts()}
        return json_response(answers.health_status(known), to_json(body))

    return routes
