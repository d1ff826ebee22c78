"""The status page at `/`, and the files that it is made of."""

import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, render_template, request

from app.health.watch import HealthWatch
from app.web.page import NAMES, page, reason_words
from app.web.waiting import waiting

STATIC = Path(__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def create_page_blueprint(
    watch: HealthWatch, facts: Callable[[], dict[str, Any]], check_timeout: float, wall: Callable[[], float] = time.time
) -> Blueprint:
    """`/` and `/static/NAME`; GET and HEAD.

    The page shows what `/health/details` tells, `facts` included. `check_timeout` is the deadline of a check in
    seconds, which the page names. It refers to everything by relative URLs, so a proxy may put it under a prefix.
    """
    routes = Blueprint("page", __name__, template_folder="templates")
    words = reason_words(check_timeout)
    # Read once: a file that is not here at the start is not served, whatever its name looks like.
    files = {path.name: path.read_bytes() for path in STATIC.iterdir() if path.suffix in TYPES}

    @routes.get("/", provide_automatic_options=False)
    def status_page() -> Response:
        known = watch.probe(waiting())
        details = {**known.health(int(wall() * 1000)), "checks": known.checks(), **facts()}
        html = render_template("status_page.html", page=page(details, words), words={"names": NAMES, "reasons": words})
        return Response(html, headers={"Cache-Control": "no-store"}, mimetype="text/html")

    @routes.get("/static/<name>", provide_automatic_options=False)
    def static_file(name: str) -> Response:
        if name not in files:
            abort(404)
        response = Response(files[name], mimetype=TYPES[Path(name).suffix])
        # Kept by the browser alone, and asked for again each time: a page never meets the script of another version.
        response.headers["Cache-Control"] = "private, no-cache"
        response.set_etag(sha256(files[name]).hexdigest()[:16])
        response.make_conditional(request)
        return response

    return routes
