"""What the service is compared with: the same bytes, from only the framework."""

from flask import Flask

BODY = (
    b'{"status":"healthy","timestamp":1795464000000,"version":"1.0.0","service":"server",'
    b'"dependencies":{"ai_service":"connected","mongodb":"connected"}}\n'
)
HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}

flask_app = Flask(__name__, static_folder=None)


@flask_app.get("/health")
def health():
    return BODY, HEADERS


def wsgi_app(environ, start_response):
    """The same bytes without a framework."""
    start_response("200 OK", [*HEADERS.items(), ("Content-Length", str(len(BODY)))])
    return [BODY]
