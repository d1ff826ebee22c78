"""Probers that Flask answers, under any server and under a stock gunicorn worker."""

import json
import unittest

from flask import Flask, Response, abort, request

from app.factory import create_app, probers_of
from app.health.probers import Probers
from app.settings import Settings
from app.web.who_asks import ENVIRON_KEY, WhoAsks
from tests.fakes import ScriptedClock
from tests.peers.service import Service

PROBES = {"/health": "/health", "/healthz": "/health", "/livez": "/health/live", "/health/mongodb": "/health/mongodb"}


class WhoAsksTest(unittest.TestCase):
    def setUp(self):
        self.clock = ScriptedClock(1000.0)
        self.probers = Probers(PROBES.values(), self.clock, self.clock)
        self.environs = []
        app = Flask("plain", static_folder=None)
        app.wsgi_app = WhoAsks(app.wsgi_app, self.probers, PROBES)

        @app.before_request
        def refuse_the_details():
            if request.path == "/health/details":
                abort(401)

        @app.route("/<path:path>", methods=["GET", "POST"])
        def anything(path):
            self.environs.append(request.environ)
            if path == "health/mongodb":
                raise ValueError("oops")
            return Response(status=503)

        self.client = app.test_client()

    def ask(self, path, product="curl/8", address="10.0.0.7", method="GET", **headers):
        headers = {key.replace("_", "-"): value for key, value in headers.items()}
        if product is not None:
            headers["User-Agent"] = product
        self.client.open(path, method=method, headers=headers, environ_base={"REMOTE_ADDR": address})

    def seen(self):
        return sorted((each.address, each.product, each.route, each.last_status) for each in self.probers.seen())

    def test_probes_details_and_metrics_are_counted_aliases_under_the_names_of_their_routes(self):
        paths = ("/health", "/healthz", "/livez", "/health/mongodb", "/health/details", "/metrics")
        for path in (*paths, "/", "/health/", "/health/unknown", "/static/x", "/metrics/"):
            self.ask(path)
        self.ask("/health", method="HEAD")
        self.ask("/health", method="POST")
        self.assertEqual(
            {each.route: each.count for each in self.probers.seen()},
            {"/health": 3, "/health/live": 1, "/health/mongodb": 1, "/health/details": 1, "/metrics": 1},
        )

    def test_a_path_that_begins_with_two_slashes_is_counted_as_the_route_that_answers_it(self):
        answer = self.client.get("/health", environ_overrides={"PATH_INFO": "//health"})
        self.assertEqual([(each.route, each.last_status) for each in self.probers.seen()], [("/health", 503)])
        self.assertEqual(answer.status_code, 503)

    def test_the_status_is_that_of_the_answer_also_if_it_is_refused_or_crashes(self):
        for path in ("/health", "/health/details", "/health/mongodb"):
            self.ask(path)
        self.assertEqual([status for *_, status in self.seen()], [503, 401, 500])

    def test_no_header_changes_the_address(self):
        self.ask("/health", X_Forwarded_For="203.0.113.9", Forwarded="for=203.0.113.9", X_Real_IP="203.0.113.9")
        self.assertEqual(self.seen(), [("10.0.0.7", "curl/8", "/health", 503)])

    def test_the_product_is_the_first_and_printable(self):
        for product, shown in (
            ("kube-probe/1.31 (linux)", "kube-probe/1.31"),
            ("caf\xe9\x85\xad", "caf???"),
            ("x" * 5000, "x" * 64),
        ):
            self.ask("/health", product=product)
            self.assertEqual(self.probers.seen()[0].product, shown)
            self.clock.advance(1)

    def test_the_server_behind_finds_what_was_asked_in_the_environ(self):
        self.clock.advance(5)
        self.ask("/health")
        self.ask("/other")
        asked = self.environs[0][ENVIRON_KEY]
        self.assertEqual((asked.at, asked.prober.route), (1005.0, "/health"))
        self.assertNotIn(ENVIRON_KEY, self.environs[1])


class TokenTest(unittest.TestCase):
    def test_the_probers_are_shown_behind_the_token_and_one_without_it_is_counted(self):
        app = create_app(Settings.load({"STATUS_TOKEN": "secret"}))
        client = app.test_client()
        for path in ("/health", "/health/details", "/metrics"):
            self.assertNotIn("probers", client.get(path, headers={"User-Agent": "curl/8"}).text, path)
        self.assertEqual(
            {each.route: each.last_status for each in probers_of(app).seen()},
            {"/health": 503, "/health/details": 401, "/metrics": 401},
        )
        details = client.get("/health/details", headers={"Authorization": "Bearer secret"}).get_json()
        self.assertEqual(len(details["probers"]), 4)


class StockWorkerTest(unittest.TestCase):
    def test_the_stock_worker_counts_probers_and_cannot_see_abandonment(self):
        with Service(WORKER_CLASS="gthread") as service:
            for _ in range(3):
                service.get("/healthz", User_Agent="kube-probe/1.31")
            service.get("/metrics", User_Agent="Prometheus/3.0.1")
            details = json.loads(service.get("/health/details").body)
            seen = {(each["kind"], each["route"]): each for each in details["probers"]}
            kubelet, prometheus = seen["kubelet", "/health"], seen["prometheus", "/metrics"]
            self.assertEqual((kubelet["address"], kubelet["count"], kubelet["last_status"]), ("127.0.0.1", 3, 503))
            self.assertEqual((kubelet["abandoned"], kubelet["abandoned_after_ms"]), (None, None))
            self.assertEqual((prometheus["count"], prometheus["last_status"]), (1, 200))
            metrics = service.get("/metrics").body.decode()
            self.assertIn('server_health_probes_abandoned_total{route="/health"} 0.0', metrics)


if __name__ == "__main__":
    unittest.main()
