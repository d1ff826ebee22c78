"""The status page at `/`, and its static files."""

import mimetypes
import time
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, render_template, request

from app.health.watch import HealthWatch
from app.page.content import page
from app.web.waiting import waiting

TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def create_page_blueprint(
    watch: HealthWatch, facts: Callable[[], dict[str, Any]], wall: Callable[[], float] = time.time
) -> Blueprint:
    """`/` and `/static/NAME`; GET and HEAD.

    The page shows the same as `/health/details`, `facts` included. Every URL in it is relative, so that a proxy may put
    it under a prefix.
    """
    for suffix, kind in TYPES.items():
        mimetypes.add_type(kind, suffix)  # the machine's own table may hold another type, or none
    routes = Blueprint(
        "page", "app.page", static_folder="static", static_url_path="/static", template_folder="templates"
    )

    @routes.get("/")
    def status_page() -> Response:
        content = page(watch.probe(waiting(request.environ)), facts(), int(wall() * 1000))
        html = render_template("status_page.html", page=content)
        return Response(html, headers={"Cache-Control": "no-store"}, mimetype="text/html")

    @routes.after_request
    def keep_private(response: Response) -> Response:
        """Have a file cached by the browser alone. It asks again each time, so a page never gets an outdated script."""
        if response.cache_control.no_cache:
            response.headers["Cache-Control"] = "private, no-cache"
        return response

    return routes
