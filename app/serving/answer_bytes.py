"""Answers as bytes, where no WSGI application makes them: byte for byte what gunicorn would send."""

import socket
import time
from http import HTTPStatus

from gunicorn import SERVER
from gunicorn.util import http_date, write_nonblock

from app import problem

JSON = "application/json"
CRLF = "\r\n"


def head(
    minor: int, status: int, close: bool, length: int, varies: bool, *, moment: float, content_type: str = JSON
) -> bytes:
    """A response's head, the empty line included.

    `minor` is the last digit of the HTTP version, `length` that of the body; `varies`, whether the format
    depends on the request's Accept header; `moment` is in Unix seconds.
    """
    return (
        f"HTTP/1.{minor} {status} {HTTPStatus(status).phrase.upper()}\r\n"
        f"Server: {SERVER}\r\n"
        f"Date: {http_date(moment)}\r\n"
        f"Connection: {'close' if close else 'keep-alive'}\r\n"
        f"Content-Type: {content_type}\r\n"
        "Cache-Control: no-store\r\n"
        f"{'Vary: Accept' + CRLF if varies else ''}"
        f"Content-Length: {length}\r\n"
        "\r\n"
    ).encode("ascii")


def refusal(status: int) -> bytes:
    """A whole problem+json response, after which the connection is closed."""
    body = problem.problem_json(status)
    return head(1, status, True, len(body), False, moment=time.time(), content_type=problem.CONTENT_TYPE) + body


def write_error(sock: socket.socket, status: int, _reason: str, _message: str) -> None:
    """Replaces gunicorn's, whose answers are HTML and repeat what was wrong with the request."""
    write_nonblock(sock, refusal(status))
