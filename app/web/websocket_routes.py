"""`/ws`: the live feed, on flask-sock."""

import itertools
import json
from collections.abc import Callable, Collection

import flask_sock
from flask import Blueprint, Response, g, request
from simple_websocket import ConnectionClosed

from app.connections.inbound import InboundSocket, refusal, serve
from app.connections.registry import Registry
from app.web.access import foreign_origin, refuse_stranger
from app.web.feed import Feed
from app.web.responses import problem

LOOK_AGAIN_SECONDS = 5.0
RETRY_AFTER_SECONDS = "5"
HANDSHAKE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
PONG = '{"type":"pong"}'

# flask-sock has no option for the class of its sockets, and its own shares gunicorn's socket with gunicorn.
flask_sock.Server = InboundSocket


def create_websocket_blueprint(
    feed: Feed,
    registry: Registry,
    follow: Callable[[bool], None],
    token: str,
    allowed_origins: Collection[str],
) -> Blueprint:
    """`/ws`; `follow(True)` and `follow(False)` frame the life of a client, for whom checks are made often."""
    routes = Blueprint("websocket", __name__)
    sock = flask_sock.Sock()
    numbers = itertools.count(1)

    @routes.before_request
    def admit() -> Response | None:
        """Refuse before any upgrade, in this order: 400 or 426, 401, 403, 503."""
        if (refused := refusal(request.environ)) is not None:
            status, _ = refused
            registry.refused.count("handshake")
            response = problem(status)
            response.headers.update(HANDSHAKE if status == 426 else {})
            return response
        if (stranger := refuse_stranger(token)) is not None:
            registry.refused.count("token")
            return stranger
        if foreign_origin(request.headers.get("Origin"), request.headers.get("Host", ""), allowed_origins):
            registry.refused.count("origin")
            return problem(403)
        if not registry.reserve():
            response = problem(503)
            response.headers["Retry-After"] = RETRY_AFTER_SECONDS
            return response
        g.place_reserved = True
        return None

    @routes.teardown_request
    def leave(_error: BaseException | None) -> None:
        if g.pop("place_reserved", False):
            registry.release()

    @routes.get("/ws", provide_automatic_options=False)
    def not_upgraded() -> Response:
        """For flask-sock's rule a request without `Upgrade` is no match; `admit` has refused it by now."""
        return problem(426)

    @sock.route("/ws", bp=routes, provide_automatic_options=False)
    def ws(socket: InboundSocket) -> None:
        socket.on_message = lambda message: _answer(socket, message)
        while (early := socket.receive(timeout=0)) is not None:
            _answer(socket, early)
        follow(True)
        try:
            serve(registry, f"ws-{next(numbers)}", socket, lambda _: _tell(socket, feed))
        finally:
            follow(False)

    return routes


def _tell(socket: InboundSocket, feed: Feed) -> None:
    """Send the newest message, and each newer one, until the client has gone."""
    seq = 0
    while socket.connected:
        message = feed.newer_than(seq, LOOK_AGAIN_SECONDS)
        if message is not None:
            socket.send(message.text)
            seq = message.seq


def _answer(socket: InboundSocket, message: str | bytes) -> None:
    """A ping is answered; anything else is ignored."""
    try:
        content = json.loads(message)
    except (ValueError, RecursionError):
        return
    if isinstance(content, dict) and content.get("type") == "ping":
        try:
            socket.send(PONG)
        except ConnectionClosed:
            return  # it has gone while it asked
