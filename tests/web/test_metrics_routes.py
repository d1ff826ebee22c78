"""`/metrics`, as a scraper meets it."""

import unittest

from prometheus_client.parser import text_string_to_metric_families

from app.factory import create_app, runtime_of
from app.settings import Settings
from tests.peers.service import Service


def samples(text):
    """(name without prefix, values of its labels) -> value."""
    return {
        (sample.name.removeprefix("server_health_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class MetricsRouteTest(unittest.TestCase):
    """Nothing is started: the service is as unhealthy as can be."""

    def setUp(self):
        self.app = create_app(Settings.load({"WS_MAX_CONNECTIONS": "1"}))
        self.client = self.app.test_client()

    def test_it_is_text_that_nobody_stores_and_200_also_when_unhealthy(self):
        response = self.client.get("/metrics")
        self.assertEqual(response.status_code, 200)
        self.assertEqual(response.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        self.assertEqual(response.headers["Cache-Control"], "no-store")
        self.assertEqual(samples(response.text)["up",], 0)

    def test_head_is_answered_and_nothing_else_is(self):
        response = self.client.head("/metrics")
        self.assertEqual((response.status_code, response.data), (200, b""))
        for method in ("POST", "OPTIONS", "DELETE"):
            self.assertEqual(self.client.open("/metrics", method=method).status_code, 405)

    def test_it_counts_the_probes_and_nothing_that_is_none(self):
        for route in ("/health", "/health", "/health/live", "/health/ready", "/health/details", "/metrics", "/no"):
            self.client.get(route)
        self.client.head("/health")
        found = samples(self.client.get("/metrics").text)
        probes = {key[1:]: value for key, value in found.items() if key[0] == "probes_total" and value}
        self.assertEqual(probes, {("503", "/health"): 3, ("200", "/health/live"): 1, ("200", "/health/ready"): 1})

    def test_it_follows_draining_the_sweeps_and_refusals(self):
        runtime = runtime_of(self.app)
        runtime.monitor.sweep()
        runtime.begin_drain()
        runtime.close_sockets()
        self.client.get("/ws")
        self.assertFalse(runtime.registry.reserve())
        found = samples(self.client.get("/metrics").text)
        self.assertEqual(found["draining",], 1)
        self.assertGreater(found["monitor_last_sweep_timestamp_seconds",], 1.7e9)
        self.assertEqual(found["connections_refused_total", "handshake"], 1)
        self.assertEqual(found["connections_refused_total", "closing"], 1)

    def test_with_a_token_it_wants_the_token(self):
        client = create_app(Settings.load({"STATUS_TOKEN": "secret"})).test_client()
        self.assertEqual(client.get("/metrics").status_code, 401)
        self.assertEqual(client.get("/metrics", headers={"Authorization": "Bearer secret"}).status_code, 200)
        self.assertEqual(client.get("/metrics", auth=("any", "secret")).status_code, 200)

    def test_it_shows_no_address_of_a_dependency(self):
        app = create_app(
            Settings.load(
                {
                    "MONGO_URI": "mongodb://mallory:s3cret@db.internal:27017",
                    "WS_UPSTREAMS": "feed=ws://inner.internal/x",
                }
            )
        )
        text = app.test_client().get("/metrics").text
        for secret in ("mallory", "s3cret", "internal", "localhost"):
            self.assertNotIn(secret, text)


class WorkerTest(unittest.TestCase):
    def test_probes_are_counted_whichever_way_the_worker_answers_them(self):
        for worker in ("probe", "gthread"):
            with self.subTest(worker), Service(WORKER_CLASS=worker) as service:
                for path in ("/health", "/health?through=flask", "/health"):
                    self.assertEqual(service.get(path).status, 503)
                found = samples(service.get("/metrics").body.decode())
                self.assertEqual(found["probes_total", "503", "/health"], 3)
                self.assertEqual(found["probes_total", "200", "/health"], 0)
