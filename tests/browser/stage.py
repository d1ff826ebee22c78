"""The page's own routes over a state that the test makes up, so that it can be any, and stands still."""

import random
import threading
import time

import werkzeug.serving
from flask import Flask

from app.health.answers import ProbeAnswers
from app.health.record import Record
from app.health.report import Identity, Report
from app.net.reason import Reason
from app.web import security_headers
from app.web.health_routes import create_health_blueprint
from app.web.page_routes import create_page_blueprint

HOUR = 3600_000
STATES = ("connecting", "connected", "reconnecting", "failed", "closed")


class Quiet(werkzeug.serving.WSGIRequestHandler):
    """Logs nothing."""

    def log(self, *arguments):
        pass


def record(name, now, *periods, every=5000, latency=1.5):
    """A record with a check `every` milliseconds; a period is (milliseconds before now, reason)."""
    known = Record(name, now - periods[0][0])
    dice = random.Random(name)
    ends = [now - ago for ago, _ in periods[1:]] + [now]
    for (ago, reason), end in zip(periods, ends, strict=True):
        # Of a long period only as many checks as are remembered, and the one that it began with.
        begin = now - ago
        times = sorted({begin, *range(max(begin, end - 61 * every), end, every)})
        for at in times:
            took = 5000.0 if reason is Reason.TIMEOUT else latency * dice.lognormvariate(0, 0.25)
            known = known.after_check(at, at, reason, round(took, 3))
    return known


class Stage:
    """Serves `/`, its files and `/health/details` for the state in its attributes; a context manager."""

    def __init__(self, *records, now=None, service="server", version="1.0.0"):
        self.now = now or int(time.time() * 1000)
        self.records = records
        self.identity = Identity(service, version)
        self.upstreams = []
        self.inbound = {"open": 1, "cap": 96, "refused": 0}
        self.draining = False
        self.uptime = 76 * HOUR
        app = Flask("stage", static_folder=None)
        answers = ProbeAnswers(503, (), list, lambda: self.draining)
        app.register_blueprint(create_health_blueprint(self, answers, self.facts, self.wall))
        app.register_blueprint(create_page_blueprint(self, self.facts, 5.0, self.wall))
        security_headers.init_app(app)
        self.app = app

    def __enter__(self):
        self._server = werkzeug.serving.make_server("127.0.0.1", 0, self.app, threaded=True, request_handler=Quiet)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="stage", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wall(self):
        return (self.now + 0.5) / 1000  # seconds, which are cut to milliseconds again

    def probe(self, waiting=None):
        return Report(self.identity, self.records)

    def facts(self):
        states = [state for _, state, _, _ in self.upstreams] + ["connected"] * self.inbound["open"]
        return {
            "connections": {
                "by_state": {state: states.count(state) for state in STATES},
                "outbound": [
                    {"id": id, "state": state, "attempts": attempts, "since": self.now - ago}
                    for id, state, attempts, ago in self.upstreams
                ],
                "inbound": self.inbound,
            },
            "monitor": {"last_sweep": self.now, "sweeps": 3},
            "draining": self.draining,
            "started_at": self.now - self.uptime,
        }
