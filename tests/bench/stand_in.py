"""An AI service for the bench, in a process of its own: `python -m tests.bench.stand_in DELAY`.

Answers `/health` after DELAY seconds, and `/count` with the number of these requests. Prints its port.
"""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    delay = 0.0
    asked = 0

    def do_GET(self):
        body = b"%d" % Handler.asked
        if self.path == "/health":
            Handler.asked += 1
            time.sleep(self.delay)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Requests are not logged."""


if __name__ == "__main__":
    Handler.delay = float(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()
