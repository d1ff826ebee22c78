"""The page's routes over a state that the test makes up: it can be any state, and it stands still."""

import random
import threading
import time

import werkzeug.serving
from flask import Flask

from app.health.report import Identity, Report
from app.net.reason import Reason
from app.web import security_headers
from app.web.page_routes import create_page_blueprint
from tests.fakes import new_record, outcome

HOUR = 3600_000
STATES = ("connecting", "connected", "reconnecting", "failed", "closed")


class Quiet(werkzeug.serving.WSGIRequestHandler):
    """Logs nothing."""

    def log(self, *arguments):
        pass


def record(name, now, *periods, every=5000, latency=1.5):
    """A record with a check `every` milliseconds; a period is (milliseconds before now, reason)."""
    known = new_record(name, now - periods[0][0])
    dice = random.Random(name)
    ends = [now - ago for ago, _ in periods[1:]] + [now]
    for (ago, reason), end in zip(periods, ends, strict=True):
        # A long period has only as many checks as are remembered, and the one that it began with.
        begin = now - ago
        times = sorted({begin, *range(max(begin, end - 61 * every), end, every)})
        for at in times:
            took = 5000.0 if reason is Reason.TIMEOUT else latency * dice.lognormvariate(0, 0.25)
            known = known.after_check(at, at, outcome(reason, round(took, 3)))
    return known


class Stage:
    """Serves `/` and its files for the state in its attributes; a context manager.

    Counts the times it is asked for `/`; while `answering` is cleared, each of them waits.
    """

    def __init__(self, *records, now=None, service="server", version="1.0.0"):
        self.now = now or int(time.time() * 1000)
        self.records = records
        self.identity = Identity(service, version)
        self.upstreams = []
        self.inbound = {"open": 1, "cap": 96, "refused": 0}
        self.draining = False
        self.started_at = self.now - 76 * HOUR
        self.asked = 0
        self.answering = threading.Event()
        self.answering.set()
        self.app = Flask("stage", static_folder=None)
        self.app.register_blueprint(create_page_blueprint(self, self.facts, self.wall))
        security_headers.init_app(self.app, ())

    def __enter__(self):
        self._server = werkzeug.serving.make_server("127.0.0.1", 0, self.app, threaded=True, request_handler=Quiet)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="stage", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error):
        self.answering.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def become(self, other):
        """Take on the state of another stage."""
        for name in ("records", "identity", "upstreams", "draining"):
            setattr(self, name, getattr(other, name))

    def wall(self):
        return (self.now + 0.5) / 1000  # seconds, which are cut to milliseconds again

    def probe(self, waiting=None):
        self.asked += 1
        self.answering.wait(60)
        return Report(self.identity, self.records)

    def facts(self):
        states = [state for _, state, _, _ in self.upstreams] + ["connected"] * self.inbound["open"]
        return {
            "connections": {
                "by_state": {state: states.count(state) for state in STATES},
                "outbound": [
                    {"id": id, "state": state, "attempts": attempts, "since": since}
                    for id, state, attempts, since in self.upstreams
                ],
                "inbound": self.inbound,
            },
            "draining": self.draining,
            "started_at": self.started_at,
        }


def healthy(now):
    return Stage(
        record("ai_service", now, (192 * 60_000, None), latency=42),
        record("mongodb", now, (30 * HOUR, None), (9 * HOUR, Reason.NO_PRIMARY), (8 * HOUR, None)),
        now=now,
    )


def unhealthy(now):
    """With everything else that a page can show: draining, upstreams, odd names, the longest lists."""
    ai = [(76 * HOUR, None), (HOUR, Reason.HTTP_STATUS), (1800_000, None), (185_000, Reason.TIMEOUT)]
    stage = Stage(
        record("ai_service", now, *ai, latency=42),
        record("mongodb", now, *((k * 60_000, Reason.REFUSED if k % 2 else None) for k in range(40, 0, -1))),
        now=now,
        service="<script>alert(1)</script>",
        version="1" * 64,
    )
    stage.upstreams = [
        ("orders", "connected", 0, now - 3 * HOUR),
        ("billing-events", "reconnecting", 2, now - 12_000),
        ("x" * 63, "failed", 5, now - HOUR),
    ]
    stage.draining = True
    return stage


def starting(now):
    return Stage(new_record("ai_service", now), new_record("mongodb", now), now=now)
