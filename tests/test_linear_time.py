"""Whatever bytes a stranger sends, the work of judging them grows linearly with their number."""

import itertools
import sys
import time
import unittest

from flask import Flask

from app.connections.handshake import refusal
from app.health.prober_kinds import kind_of, product_of
from app.serving import request_head
from app.web import access
from app.web.negotiation import chosen

FILLERS = {
    "space": " ",
    "tab": "\t",
    "letter": "a",
    "colon": ":",
    "comma": ",",
    "semicolon": ";",
    "backslash": "\\",
    "quote": '"',
    "8 bits": "\xe9",
}
MISFIT = "\x80"
SIZES = (256, 2048, 32768)  # the first is for a scanner whose work for 2 KB already takes seconds
# From one size to the next the work may grow by so many times the growth in size: far less than its square.
SLACK = 4
HANDSHAKE = {
    "HTTP_HOST": "a",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "HTTP_SEC_WEBSOCKET_KEY": "",
    "REQUEST_METHOD": "GET",
}
FLASK = Flask(__name__)


def recognise(value):
    """Without its limits: the size, so that more of it can be seen, and the memory for heads that were seen before."""
    for head in (f"{value}\r\n\r\n", f"GET {value}\r\n\r\n", f"GET /health HTTP/1.1\r\nHost: x{value}\r\n\r\n"):
        request_head._recognise.__wrapped__(head.encode("latin-1"))
    request_head._recognise.__wrapped__(f"GET /health HTTP/1.1\r\nHost: x\r\nX:{value}\r\n\r\n".encode("latin-1"))


def decidable(value):
    for head in (value, f"GET {value}", f"GET / HTTP/1.1\r\nX:{value}"):
        request_head.decidable(head.encode("latin-1"))


def decidable_in_parts(value):
    """As a worker asks it of bytes that arrive a few at a time."""
    head = bytearray(b"GET / HTTP/1.1\r\nX:")
    judged = 0
    for start in range(0, len(value), 32):
        head += value[start : start + 32].encode("latin-1")
        request_head.decidable(head, judged)
        judged = len(head)


def token(value):
    for scheme in ("", "Basic ", "Bearer "):
        with FLASK.test_request_context(headers={"Authorization": scheme + value}):
            access.refuse_stranger("secret")


def origin(value):
    access.foreign_origin(value, value, ())


def handshake(value):
    for name in HANDSHAKE:
        refusal(HANDSHAKE | {name: value})


def cache_control(value):
    with FLASK.test_request_context(headers={"Cache-Control": value}) as context:
        list(context.request.cache_control)


def accept(value):
    chosen(value, ("application/json", "text/plain"))


def user_agent(value):
    kind_of(product_of(value))


class TestLinearTime(unittest.TestCase):
    def test_each_scanner_of_a_strangers_bytes(self):
        request = (recognise, decidable, decidable_in_parts)
        for scanner in (*request, token, origin, handshake, cache_control, accept, user_agent):
            for name, filler in FILLERS.items():
                with self.subTest(scanner.__name__, filler=name):
                    took = [self.took(scanner, filler * SIZES[0] + MISFIT)]
                    for before, size in itertools.pairwise(SIZES):
                        took.append(self.took(scanner, filler * size + MISFIT))
                        self.assertLess(took[-1] / took[-2], SLACK * size / before, took)

    def took(self, scanner, value):
        """Seconds of one call: the least of some, each measured over so many calls that the clock can tell."""
        least, calls = sys.float_info.max, 1
        for _ in range(5):
            began = time.thread_time()
            for _ in range(calls):
                scanner(value)
            took = time.thread_time() - began
            least = min(least, took / calls) if took else least
            if took > 1:
                break
            calls = max(calls, min(1000, int(0.0005 * calls / took) if took else 10 * calls))
        return least


if __name__ == "__main__":
    unittest.main()
