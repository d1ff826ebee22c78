"""The page's routes over a state that the test makes up: it can be any state, and it stands still."""

import contextlib
import random
import threading
import time

import werkzeug.serving
from flask import Flask

from app.health.meanings import MEANINGS
from app.health.report import Identity, Report
from app.net.reason import Reason
from app.web import security_headers
from app.web.page_routes import create_page_blueprint
from tests.fakes import new_record, outcome

HOUR = 3600_000


class Quiet(werkzeug.serving.WSGIRequestHandler):
    """Logs nothing."""

    def log(self, *arguments):
        pass


def record(name, now, *periods, every=5000, latency=1.5, **options):
    """A record with a check `every` milliseconds; a period is (milliseconds before now, reason).

    `options` are the dependency's.
    """
    known = new_record(name, now - periods[0][0], **options)
    dice = random.Random(name)
    ends = [now - ago for ago, _ in periods[1:]] + [now]
    for (ago, reason), end in zip(periods, ends, strict=True):
        # A long period has only as many checks as are remembered, and the one that it began with.
        begin = now - ago
        times = sorted({begin, *range(max(begin, end - 61 * every), end, every)})
        for at in times:
            took = 5000.0 if reason is Reason.TIMEOUT else latency * dice.lognormvariate(0, 0.25)
            detail = "answered 503" if reason is Reason.HTTP_STATUS else reason and MEANINGS[reason].words
            known = known.after_check(at, at, outcome(reason, round(took, 3), detail))
    return known


def prober(number=0, **facts):
    """One of those that ask, as `/health/details` has it."""
    return {
        "address": f"10.42.{number // 250}.{number % 250 + 1}",
        "product": "kube-probe/1.31",
        "kind": "kubelet",
        "route": "/health/live",
        "first_seen": 1795435200000,
        "last_seen": 0,
        "count": 1000 - number,
        "period_ms": 10_000,
        "last_status": 200,
        "abandoned": 0,
        "abandoned_after_ms": None,
        **facts,
    }


class Stage:
    """Serves `/` and its files for the state in its attributes; a context manager.

    Counts the times it is asked for `/`; while `answering` is cleared, each of them waits.
    """

    def __init__(self, *records, now=None, service="server", version="1.0.0"):
        self.now = now or int(time.time() * 1000)
        self.records = records
        self.identity = Identity(service, version)
        self.upstreams = []
        self.probers = []
        self.advice = []
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
        self._server = werkzeug.serving.make_server("127.0.0.1", 0, self.whole, threaded=True, request_handler=Quiet)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="stage", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error):
        self.answering.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def whole(self, environ, start_response):
        """The application, which closes its files itself: werkzeug's server does not if the browser has gone."""
        body = self.app(environ, start_response)
        with contextlib.closing(body):
            return [b"".join(body)]

    def become(self, other):
        """Take on the state of another stage."""
        for name in ("records", "identity", "upstreams", "probers", "advice", "draining"):
            setattr(self, name, getattr(other, name))

    def wall(self):
        return (self.now + 0.5) / 1000  # seconds, which are cut to milliseconds again

    def probe(self, waiting=None):
        self.asked += 1
        self.answering.wait(60)
        return Report(self.identity, self.records)

    def facts(self):
        return {
            "connections": {
                "outbound": [
                    {"id": id, "state": state, "reason": reason, "attempts": attempts, "since": since}
                    for id, state, reason, attempts, since in self.upstreams
                ],
                "inbound": self.inbound,
            },
            "draining": self.draining,
            "started_at": self.started_at,
            "software": {"name": "server-health", "version": "1.1.0"},
            "probers": self.probers,
            "advice": self.advice,
        }


def healthy(now):
    return Stage(
        record("ai_service", now, (76 * HOUR, None), latency=42),
        record("mongodb", now, (76 * HOUR, None), (9 * HOUR, Reason.NO_PRIMARY), (8 * HOUR, None)),
        now=now,
    )


def degraded(now):
    """As a page looks on most bad days: one optional dependency is down, and something asks too impatiently."""
    search = {"required": False, "affects": "Search in the shop; browsing and orders go on"}
    stage = Stage(
        record("ai_service", now, (76 * HOUR, None), latency=42),
        record("cache", now, (76 * HOUR, None), latency=0.4, title="Cache"),
        record("mongodb", now, (76 * HOUR, None), (9 * HOUR, Reason.NO_PRIMARY), (9 * HOUR - 40_000, None)),
        record("orders", now, (76 * HOUR, None), title="Orders database", latency=2.1),
        record("payments", now, (76 * HOUR, None), title="Payment provider", latency=120),
        record(
            "search",
            now,
            (76 * HOUR, None),
            (3 * HOUR, Reason.HTTP_STATUS),
            (3 * HOUR - 300_000, None),
            (185_000, Reason.HTTP_STATUS),
            title="Search index",
            runbook_url="https://wiki.example.com/runbooks/search",
            latency=11,
            **search,
        ),
        now=now,
        service="shop",
        version="4.2.0",
    )
    stage.upstreams = [("orders-events", "connected", None, 0, now - 30 * HOUR)]
    stage.probers = [
        prober(0, last_seen=now - 3000, count=27_360),
        prober(0, route="/health/ready", period_ms=5000, last_seen=now - 2000, count=54_720),
        prober(
            7, kind="prometheus", product="Prometheus/3.1.0", route="/metrics", period_ms=15_000, last_seen=now - 9000
        ),
        prober(9, kind="unnamed", product=None, route="/health/ready", period_ms=2000, last_seen=now - 1000),
    ]
    return stage


def unhealthy(now):
    """With everything else that a page can show: draining, upstreams, odd names, the longest lists."""
    ai = [(76 * HOUR, None), (HOUR, Reason.HTTP_STATUS), (1800_000, None), (185_000, Reason.TIMEOUT)]
    stage = Stage(
        record("ai_service", now, *ai, latency=42, affects="Answers to customers", runbook_url="http://wiki/ai"),
        record("mongodb", now, *((k * 60_000, Reason.REFUSED if k % 2 else None) for k in range(40, 0, -1))),
        in_doubt(record("search", now, (HOUR, None), failures=3, required=False), now),
        now=now,
        service="<script>alert(1)</script>",
        version="1" * 64,
    )
    stage.upstreams = [
        ("orders", "connected", None, 0, now - 3 * HOUR),
        ("billing-events", "reconnecting", "closed", 2, now - 12_000),
        ("x" * 63, "failed", "refused", 5, now - HOUR),
    ]
    stage.probers = [
        prober(n, last_seen=now - 1000 * n, abandoned=3 * (n == 5), abandoned_after_ms=1002) for n in range(64)
    ]
    stage.advice = [
        {
            "code": "prober_gives_up",
            "evidence": "kubelet 10.42.0.6 (kube-probe/1.31) has abandoned 3 of its 995 requests for /health/live, the first"
            " after 1002 ms; PROBE_WAIT_SECONDS is 0.25",
            "do": "raise its timeout above PROBE_WAIT_SECONDS, or lower that",
        }
    ]
    stage.draining = True
    return stage


def in_doubt(known, now):
    """The record after one more check whose result its thresholds do not believe yet."""
    return known.after_check(now - 1000, now - 1000, outcome(Reason.CLOSED if known.connected else None))


def many(now, down=4):
    """32 dependencies; those that are `down` are of every kind, and one that is connected is in doubt."""
    reasons = [reason for reason in Reason if reason is not Reason.PENDING]
    records = []
    for n in range(32):
        periods = [(76 * HOUR, None)]
        if n % 5 == 0:
            periods += [(HOUR * (n + 2), Reason.CLOSED), (HOUR * (n + 2) - 600_000, None)]
        if n < down:
            periods.append((1000 * (20 + 31 * n), reasons[n % len(reasons)]))
        options = {"required": n % 3 != 1, "failures": 1 if n < down else 3, "affects": f"What only service {n} can do"}
        if n % 2 == 0:
            options["runbook_url"] = f"https://wiki.example.com/runbooks/service-{n}"
        records.append(record(f"service_{n:02}", now, *periods, latency=3 + n * n, title=f"Service {n}", **options))
    records[20] = in_doubt(records[20], now)
    stage = Stage(*records, now=now, service="shop", version="4.2.0")
    stage.probers = [prober(n, last_seen=now - 1000 * n) for n in range(64)]
    stage.upstreams = [(f"events-{n}", "connected", None, 0, now - 3 * HOUR) for n in range(4)]
    return stage


def starting(now):
    return Stage(new_record("ai_service", now), new_record("mongodb", now), now=now)
