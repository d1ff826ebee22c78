"""Errors as JSON, in the form of RFC 9457."""

from http import HTTPStatus

from app.health.report import to_json

CONTENT_TYPE = "application/problem+json"


def problem_json(status: int, title: str | None = None) -> bytes:
    """The body of an error; its title is the status code's own phrase if none is given."""
    return to_json({"type": "about:blank", "title": title or HTTPStatus(status).phrase, "status": status})
