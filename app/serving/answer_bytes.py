"""Answers as bytes, for where no WSGI application stands behind them: byte for byte what gunicorn would send."""

import socket
import time
from http import HTTPStatus

from gunicorn import SERVER
from gunicorn.util import http_date, write_nonblock

from app.health.report import to_json

JSON = "application/json"
PROBLEM = "application/problem+json"


def head(minor: int, status: int, close: bool, length: int, moment: float, content_type: str = JSON) -> bytes:
    """A response's head, the empty line included.

    `minor` is the last digit of the HTTP version, `length` that of the body, `moment` in Unix seconds.
    """
    return (
        f"HTTP/1.{minor} {status} {HTTPStatus(status).phrase.upper()}\r\n"
        f"Server: {SERVER}\r\n"
        f"Date: {http_date(moment)}\r\n"
        f"Connection: {'close' if close else 'keep-alive'}\r\n"
        f"Content-Type: {content_type}\r\n"
        "Cache-Control: no-store\r\n"
        f"Content-Length: {length}\r\n"
        "\r\n"
    ).encode("ascii")


def refusal(status: int) -> bytes:
    """A whole problem+json response, after which the connection is closed."""
    title = HTTPStatus(status).phrase
    body = to_json({"type": "about:blank", "title": title, "status": status})
    return head(1, status, True, len(body), time.time(), PROBLEM) + body


def write_error(sock: socket.socket, status: int, _reason: str, _message: str) -> None:
    """In place of gunicorn's: its own answers are HTML, and repeat what was wrong with the request."""
    write_nonblock(sock, refusal(status))
