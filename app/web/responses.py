"""JSON responses, the one form in which the service answers programs."""

from http import HTTPStatus
from typing import Any

from flask import Response

from app.health.report import to_json

HEADERS = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
PROBLEM_TYPE = "application/problem+json"


def json_response(status: int, body: bytes) -> Response:
    """A response with a JSON body, which no cache may store."""
    return Response(body, status, list(HEADERS))


def problem(status: int, title: str | None = None, **members: Any) -> Response:
    """An error as in RFC 9457; its title is the status code's own phrase if none is given."""
    body = {"type": "about:blank", "title": title or HTTPStatus(status).phrase, "status": status}
    response = json_response(status, to_json(body | members))
    response.content_type = PROBLEM_TYPE
    return response
