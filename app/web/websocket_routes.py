"""`/ws`: the live feed, on flask-sock."""

import functools
import itertools
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

import flask_sock
from flask import Blueprint, Response, g, request
from simple_websocket import ConnectionClosed

from app.connections.inbound import InboundSocket, refusal, serve
from app.connections.registry import Registry
from app.web.access import foreign_origin, refuse_stranger
from app.web.feed import Feed
from app.web.responses import problem

LOOK_AGAIN_SECONDS = 5.0
SPACING_SECONDS = 0.05
RETRY_AFTER_SECONDS = "5"
HANDSHAKE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
PONG = '{"type":"pong"}'


class FeedSocket(InboundSocket):
    """A client's socket; answers pings from the client's first byte on."""

    def __init__(self, environ: Mapping[str, Any], **options: Any) -> None:
        self._early = _read_ahead(environ)
        super().__init__(environ, on_message=functools.partial(_answer, self), **options)

    def handshake(self) -> None:
        """See simple_websocket.Server."""
        super().handshake()
        if self._early:
            self.ws.receive_data(self._early)


# flask-sock has no option for the class of its sockets, and its own shares gunicorn's socket with gunicorn.
flask_sock.Server = FeedSocket


def create_websocket_blueprint(
    feed: Feed, registry: Registry, follow: Callable[[bool], None], token: str, allowed_origins: Collection[str]
) -> Blueprint:
    """`/ws`; `follow(True)` and `follow(False)` frame the life of a client, for whom checks are made often.

    `feed` is to be published when a connection of `registry` changes: it also wakes the thread of one that has ended.
    """
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
    def ws(socket: FeedSocket) -> None:
        follow(True)
        try:
            serve(registry, f"ws-{next(numbers)}", socket, lambda _: _tell(socket, feed))
        finally:
            follow(False)

    return routes


def _read_ahead(environ: Mapping[str, Any]) -> bytes:
    """What a client has sent in one segment with its handshake, though it ought to wait (RFC 6455 4.1).

    gunicorn has read it with the head, and the bytes after it would make no sense without it.
    """
    unreader = getattr(getattr(environ.get("wsgi.input"), "reader", None), "unreader", None)
    return b"" if unreader is None else bytes(unreader.take_buffered())


def _tell(socket: FeedSocket, feed: Feed) -> None:
    """Send the newest message, and each newer one, until the client has gone."""
    seq = 0
    while socket.connected:
        message = feed.newer_than(seq, LOOK_AGAIN_SECONDS)
        if message is not None:
            socket.send(message.text)
            seq = message.seq
            # Clients that come and go are changes too: however many there are, the others are told of them together.
            # The pause ends with the connection; no message comes here, they go to `on_message`.
            socket.receive(timeout=SPACING_SECONDS)


def _answer(socket: FeedSocket, message: str | bytes) -> None:
    """A ping is answered; anything else is ignored, binary messages too."""
    if isinstance(message, bytes):
        return
    try:
        content = json.loads(message)
    except (ValueError, RecursionError):
        return
    if isinstance(content, dict) and content.get("type") == "ping":
        try:
            socket.send(PONG)
        except ConnectionClosed:
            return  # it has gone while it asked
