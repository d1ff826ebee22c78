"""The assembled application: every setting has reached the part that it is for."""

import json
import threading
import unittest

from app.factory import answers_of, create_app, probers_of, runtime_of
from app.settings import Settings
from tests.fakes import DEADLINE, LogLines
from tests.peers.ports import free_port


class FactoryTest(unittest.TestCase):
    def create(self, **environ):
        port = free_port()
        return create_app(
            Settings.load(
                {
                    "MONGO_URI": f"mongodb://u:hunter2@127.0.0.1:{port}",
                    "AI_SERVICE_URL": f"http://127.0.0.1:{port}",
                    "PROBE_WAIT_SECONDS": "0",
                    **environ,
                }
            )
        )

    def get(self, app, path, **options):
        response = app.test_client().get(path, **options)
        return response.status_code, response.get_json()

    def start(self, app):
        """Start it; the reasons by dependency once every first check has ended."""
        seen = {}
        ended = threading.Event()

        def listener(told):
            seen[told.after.name] = told.after.reason
            if len(seen) == 2:
                ended.set()

        runtime_of(app).watch.listen(listener)
        self.addCleanup(runtime_of(app).stop)
        runtime_of(app).start()
        self.assertTrue(ended.wait(DEADLINE), seen)
        return seen

    def test_assembling_starts_no_thread_and_opens_no_socket(self):
        before = threading.enumerate()
        app = self.create(WS_UPSTREAMS="a=ws://127.0.0.1:1")
        self.assertEqual([thread for thread in threading.enumerate() if thread not in before], [])
        status, body = self.get(app, "/health/details")
        self.assertEqual(status, 503)
        self.assertEqual({check["reason"] for check in body["checks"].values()}, {"pending"})
        self.assertEqual(body["connections"]["outbound"], [])

    def test_what_runs_is_what_was_assembled(self):
        app = self.create(WORKER_CLASS="gthread")
        self.assertEqual(
            {rule.rule for rule in app.url_map.iter_rules()}
            & {"/health", "/health/live", "/health/ready", "/health/details", "/ws"},
            {"/health", "/health/live", "/health/ready", "/health/details", "/ws"},
        )
        self.assertEqual(runtime_of(app).watch.dependencies, ["ai_service", "mongodb"])
        self.assertEqual(answers_of(app).answer("/health/live", None, 0), (200, b'{"status":"alive"}\n'))

    def test_two_applications_share_nothing(self):
        one, two = self.create(SERVICE_NAME="one"), self.create(SERVICE_NAME="two")
        runtime_of(one).begin_drain()
        self.assertEqual(self.get(one, "/health/ready")[1], {"status": "draining", "missing": []})
        self.assertEqual(self.get(two, "/health/ready")[1], {"status": "ready"})
        self.assertEqual(self.get(two, "/health")[1]["service"], "two")

    def test_name_version_and_status_code_are_as_set(self):
        app = self.create(SERVICE_NAME="Zo\u00eb's", SERVICE_VERSION="2.0-rc1", UNHEALTHY_STATUS_CODE="200")
        status, body = self.get(app, "/health")
        self.assertEqual((status, body["service"], body["version"]), (200, "Zo\u00eb's", "2.0-rc1"))
        self.assertEqual(self.get(app, "/health/details")[0], 200)

    def test_readiness_requires_what_is_set(self):
        app = self.create(READINESS_REQUIRES="mongodb")
        self.assertEqual(self.get(app, "/health/ready"), (503, {"status": "not ready", "missing": ["mongodb"]}))

    def test_draining_reaches_readiness_and_details(self):
        app = self.create()
        runtime_of(app).begin_drain()
        self.assertEqual(self.get(app, "/health/ready"), (503, {"status": "draining", "missing": []}))
        self.assertIs(self.get(app, "/health/details")[1]["draining"], True)

    def test_details_tell_everything_in_this_order(self):
        body = self.get(self.create(), "/health/details")[1]
        self.assertEqual(
            list(body),
            [
                "status",
                "timestamp",
                "version",
                "service",
                "dependencies",
                "degraded",
                "checks",
                "connections",
                "monitor",
                "draining",
                "started_at",
                "software",
                "probers",
                "advice",
            ],
        )
        self.assertEqual(set(body["connections"]), {"by_state", "outbound", "inbound"})
        self.assertEqual(set(body["connections"]["inbound"]), {"open", "cap", "refused"})
        self.assertEqual(set(body["monitor"]), {"last_sweep", "sweeps"})

    def test_a_dead_thread_reaches_liveness(self):
        app = self.create()
        runtime_of(app).monitor.start = lambda: None
        self.start(app)
        self.assertEqual(self.get(app, "/health/live"), (503, {"status": "dead", "threads": ["monitor"]}))

    def test_the_checks_go_where_the_settings_say(self):
        self.assertEqual(self.start(self.create()), {"ai_service": "refused", "mongodb": "refused"})

    def test_every_declared_dependency_is_watched_as_its_options_say(self):
        app = self.create(
            MONGO_URI="",
            DEPENDENCY__CACHE__URL=f"redis://127.0.0.1:{free_port()}",
            DEPENDENCY__CACHE__REQUIRED="false",
            DEPENDENCY__CACHE__FAILURES="3",
            DEPENDENCY__CACHE__MAX_AGE_SECONDS="60",
            READINESS_REQUIRES="cache",
        )
        self.assertEqual(self.start(app), {"ai_service": "refused", "cache": "refused"})
        cache = runtime_of(app).watch.current().records[1].dependency
        self.assertEqual((cache.kind, cache.required, cache.failures), ("redis", False, 3))
        self.assertEqual((cache.timing.max_age, cache.timing.interval), (60, 60))
        self.assertEqual(self.get(app, "/health/ready")[1], {"status": "not ready", "missing": ["cache"]})
        self.assertEqual(self.get(app, "/health/cache")[0], 503)

    def test_a_path_with_two_slashes_is_not_a_redirect(self):
        app = self.create()
        for path in ("/health/", "/health//ready", "/health//", "/health/unknown"):
            self.assertEqual(app.test_client().get(path).status_code, 404, path)

    def test_the_cap_of_the_feed_is_as_set(self):
        app = self.create(WS_MAX_CONNECTIONS="7")
        self.assertEqual(self.get(app, "/health/details")[1]["connections"]["inbound"]["cap"], 7)

    def test_the_upstreams_are_held_by_their_names(self):
        app = self.create(WS_UPSTREAMS=f"one=ws://127.0.0.1:{free_port()}")
        self.start(app)
        outbound = self.get(app, "/health/details")[1]["connections"]["outbound"]
        self.assertEqual([each["id"] for each in outbound], ["one"])

    def test_timings_are_as_set(self):
        app = self.create(
            CHECK_TIMEOUT_SECONDS="2",
            CHECK_INTERVAL_SECONDS="60",
            CHECK_MAX_AGE_SECONDS="50",
            PROBE_WAIT_SECONDS="1.5",
            SWEEP_INTERVAL_SECONDS="11",
            HTTP_THREADS="9",
        )
        runtime = runtime_of(app)
        self.assertEqual(runtime.monitor.interval, 11)
        timing = runtime.watch.current().records[0].dependency.timing
        self.assertEqual((timing.timeout, timing.interval, timing.max_age, timing.probe_wait), (2, 60, 50, 1.5))
        self.assertEqual(runtime.watch._fresh_waiters._value, 2)

    def test_the_token_closes_everything_but_the_probes(self):
        app = self.create(STATUS_TOKEN="hunter2")
        for path in ("/health", "/health/live", "/health/ready"):
            with self.subTest(path):
                self.assertNotEqual(self.get(app, path)[0], 401)
        for headers in ({}, {"Authorization": "Bearer hunter"}, {"Authorization": "Bearer \u00fc"}):
            with self.subTest(headers):
                status, body = self.get(app, "/health/details", headers=headers)
                self.assertEqual((status, body["title"]), (401, "Unauthorized"))
        for headers in ({"Authorization": "Bearer hunter2"}, {"Authorization": "Basic YW55Omh1bnRlcjI="}):
            with self.subTest(headers):
                self.assertEqual(self.get(app, "/health/details", headers=headers)[0], 503)

    def test_no_answer_holds_a_credential_or_an_address(self):
        app = self.create()
        self.start(app)
        for path in ("/health", "/health/live", "/health/ready", "/health/details", "/absent"):
            with self.subTest(path):
                # The address of a prober, which the details show, is not what is looked for.
                response = app.test_client().get(path, environ_base={"REMOTE_ADDR": "192.0.2.7"})
                text = response.get_data(as_text=True) + json.dumps(list(response.headers))
                for secret in ("hunter2", "127.0.0.1", "mongodb://", "Errno"):
                    self.assertNotIn(secret, text)

    def test_errors_are_problems(self):
        app = self.create()
        self.assertEqual(self.get(app, "/absent"), (404, {"type": "about:blank", "title": "Not Found", "status": 404}))

    def test_who_asks_reaches_the_details_the_text_and_the_metrics(self):
        app = self.create()
        self.get(app, "/health", headers={"User-Agent": "kube-probe/1.31"})
        details = self.get(app, "/health/details", headers={"User-Agent": "curl/8"})[1]
        self.assertEqual(
            {(each["kind"], each["route"]) for each in details["probers"]},
            {("kubelet", "/health"), ("curl", "/health/details")},
        )
        self.assertEqual(details["advice"], [])
        text = app.test_client().get("/health/details", headers={"Accept": "text/plain"}).text
        self.assertRegex(text, r"WHO ASKS\n  ADDRESS .*\n(.*\n)*  127\.0\.0\.1 +kubelet +/health ")
        metrics = app.test_client().get("/metrics").text
        self.assertIn('server_health_probes_abandoned_total{route="/health"} 0.0', metrics)

    def test_the_settings_that_probers_can_be_at_odds_with_reach_the_advice(self):
        app = self.create(UNHEALTHY_STATUS_CODE="200", DRAIN_SECONDS="7", PROBE_WAIT_SECONDS="1.5")
        probers_of(app).sees_abandonment = True
        prober = probers_of(app).ask("10.0.0.1", None, "/health").prober
        ready = probers_of(app).ask("10.0.0.1", None, "/health/ready").prober
        for number in range(1, 11):
            prober.asked(prober.first + number)
            ready.asked(ready.first + 8 * number)
        prober.first = ready.first = prober.first - 60
        probers_of(app).gave_up(prober, 1.0)
        evidence = {each["code"]: each["evidence"] for each in self.get(app, "/health/details")[1]["advice"]}
        self.assertEqual(set(evidence), {"code_says_nothing", "drain_too_short", "prober_gives_up"})
        self.assertIn("DRAIN_SECONDS is 7", evidence["drain_too_short"])
        log = LogLines(self, "app.health.advice")
        for _ in range(2):
            runtime_of(app).monitor.sweep()
        self.assertEqual(len(log.lines), 3)
