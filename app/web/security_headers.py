"""What a browser may do with our answers: as little as the page needs."""

from flask import Flask, Response, request

from app.health.answers import PROBES

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
# Not Cross-Origin-Opener-Policy: browsers complain of it on plain HTTP, and nothing here opens or is opened.
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def init_app(app: Flask) -> None:
    """Put them on every answer but the probes': those are for programs, and every byte of them is read often."""

    @app.after_request
    def protect(response: Response) -> Response:
        if request.path not in PROBES:
            response.headers.update(HEADERS)
        return response
