"""`/ws`: the live feed, on flask-sock."""

import itertools
import json
import time
from collections.abc import Callable, Collection
from typing import NoReturn

import flask_sock
from flask import Blueprint, Response, abort, g, request
from simple_websocket import Server

from app.connections.client import accept, serve
from app.connections.handshake import hold_answer, no_thread, read_ahead, refusal
from app.connections.registry import Registry
from app.connections.websocket import WebSocket
from app.web.access import foreign_origin, refuse_stranger
from app.web.feed import Feed
from app.web.responses import problem
from app.web.waiting import waiting

SPACING_SECONDS = 0.05
RETRY_AFTER_SECONDS = "5"
HANDSHAKE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
PONG = '{"type":"pong"}'


def create_websocket_blueprint(
    feed: Feed,
    registry: Registry,
    follow: Callable[[bool], None],
    ping_interval: float,
    token: str,
    allowed_origins: Collection[str],
) -> Blueprint:
    """`/ws`; `follow(True)` and `follow(False)` frame the life of a client, for which checks are made often."""
    routes = Blueprint("websocket", __name__)
    routes.record(lambda setup: setup.app.config.update(SOCK_SERVER_OPTIONS={"thread_class": no_thread}))
    sock = flask_sock.Sock()
    numbers = itertools.count(1)

    @routes.before_request
    def admit() -> Response | None:
        """Refuse before any upgrade, in this order: 400 or 426, 401, 403, 503."""
        if (status := refusal(request.environ)) is not None:
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
        hold_answer(request.environ)
        return None

    @routes.teardown_request
    def leave(_error: BaseException | None) -> None:
        if g.pop("place_reserved", False):
            registry.release()

    @routes.get("/ws")
    def not_upgraded() -> Response:
        """For flask-sock's rule a request without `Upgrade` does not match; `admit` has refused it by now."""
        return problem(426)

    @sock.route("/ws", bp=routes)
    def ws(handshake: Server) -> None:
        with waiting(request.environ)():
            try:
                websocket = accept(handshake, read_ahead(request.environ), ping_interval)
            except OSError:
                abort(503)  # no descriptor is left
            follow(True)
            try:
                serve(registry, f"ws-{next(numbers)}", websocket, lambda: _feed_client(websocket, feed))
            finally:
                follow(False)

    return routes


def _feed_client(websocket: WebSocket, feed: Feed) -> NoReturn:
    """Send the newest message, and each newer one, and answer pings, until the connection ends. Raises Ended."""
    seq = 0
    with feed.listening(websocket.wake):
        while True:
            newest = feed.newest
            if newest.seq > seq:
                websocket.send(newest.text)
                seq = newest.seq
                # Clients that come and go are changes too: however many, they make few messages for the others.
                time.sleep(SPACING_SECONDS)
            message = websocket.receive()
            if message is not None and _asks(message):
                websocket.send(PONG)


def _asks(message: str) -> bool:
    """Whether a client's message is a ping. Everything else is ignored."""
    try:
        content = json.loads(message)
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("type") == "ping"
