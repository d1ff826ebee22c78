"""What a browser may do with our responses: as little as the page needs."""

from collections.abc import Container

from flask import Flask, Response, request

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
# Cross-Origin-Opener-Policy is left out: browsers warn about it on plain HTTP, and nothing here opens a window.
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def init_app(app: Flask, probes: Container[str]) -> None:
    """Put them on every response but those to probes, which only programs read, and read often."""

    @app.after_request
    def protect(response: Response) -> Response:
        if request.path not in probes:
            response.headers.update(HEADERS)
        return response
