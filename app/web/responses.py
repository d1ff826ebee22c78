"""Responses that no cache may store."""

from flask import Response

from app import problem as problems

HEADERS = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))


VARYING = (*HEADERS, ("Vary", "Accept"))


def json_response(status: int, body: bytes, varies: bool = False) -> Response:
    """A response with a JSON body; `varies`, whether its format depends on the request's Accept header."""
    return Response(body, status, list(VARYING if varies else HEADERS))


def response(status: int, body: bytes, content_type: str) -> Response:
    """A response with a body of another type."""
    return Response(body, status, {"Cache-Control": "no-store"}, content_type=content_type)


def problem(status: int, title: str | None = None) -> Response:
    """An error as in RFC 9457; its title is the status code's own phrase if none is given."""
    return response(status, problems.problem_json(status, title), problems.CONTENT_TYPE)
