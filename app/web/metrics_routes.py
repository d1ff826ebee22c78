"""`/metrics`, as a blueprint."""

from flask import Blueprint, Response

from app.health.answers import METRICS
from app.metrics import Metrics


def create_metrics_blueprint(metrics: Metrics) -> Blueprint:
    """`/metrics`: GET and HEAD, always 200; it reports what is known and waits for nothing."""
    routes = Blueprint("metrics", __name__)

    @routes.get(METRICS)
    def scrape() -> Response:
        headers = {"Cache-Control": "no-store"}
        return Response(metrics.render(), headers=headers, content_type=metrics.content_type)

    return routes
