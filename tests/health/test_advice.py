"""Advice about probers: each code, each rule, with a scripted clock."""

import unittest

from app.health.advice import Advisor, Limits
from app.health.probers import Probers
from tests.fakes import LogLines, ScriptedClock

HEALTH, LIVE, READY = "/health", "/health/live", "/health/ready"
KUBELET, BALANCER, HAPROXY, PERSON = "kube-probe/1.31", "ELB-HealthChecker/2.0", None, "curl/8.10"
BALANCERS = (BALANCER, "GoogleHC/1.0", "Load Balancer Agent", "Edge Health Probe", "Envoy/HC", "nginx/1.27", HAPROXY)


class AdviceTest(unittest.TestCase):
    limits = Limits(drain=3.0, unhealthy_status_code=503, probe_wait=0.25)

    def setUp(self):
        self.clock = ScriptedClock(1_795_464_000.0)
        self.probers = Probers([HEALTH, LIVE, READY], self.clock, self.clock)
        self.probers.sees_abandonment = True
        self.advisor = Advisor(self.probers, self.limits)

    def ask(self, product, route, times=11, every=6.0, address="10.0.0.7"):
        """By default just long and often enough to be judged."""
        prober = self.probers.find(address, product, route)
        for number in range(times):
            if number:
                self.clock.advance(every)
            prober.asked(self.clock())
        return prober

    def advice(self):
        return {each["code"]: (each["evidence"], each["do"]) for each in self.advisor.facts()["advice"]}

    def codes(self):
        return list(self.advice())


class LivenessOnHealthTest(AdviceTest):
    def test_a_kubelet_that_asks_health_while_nothing_asks_live(self):
        self.ask(KUBELET, HEALTH)
        self.assertEqual(
            self.advice(),
            {
                "liveness_on_health": (
                    "kubelet 10.0.0.7 (kube-probe/1.31) has asked /health 11 times, and nothing has asked /health/live",
                    "point livenessProbe at /health/live: a restart does not repair a dependency",
                )
            },
        )

    def test_not_once_anything_has_asked_live(self):
        self.ask(KUBELET, HEALTH)
        self.ask(PERSON, LIVE, times=1)
        self.assertEqual(self.codes(), [])

    def test_not_for_another_prober_or_another_route(self):
        self.ask(PERSON, HEALTH)
        self.ask(KUBELET, READY)
        self.assertEqual(self.codes(), [])

    def test_none_before_a_minute_and_ten_requests(self):
        self.ask(KUBELET, HEALTH, times=60, every=1.0)
        self.assertEqual(self.codes(), [])
        self.clock.advance(1)
        self.assertEqual(self.codes(), ["liveness_on_health"])
        self.ask(KUBELET, HEALTH, times=9, every=30.0, address="10.0.0.8")
        self.probers.find("10.0.0.7", KUBELET, HEALTH).count = 9
        self.assertEqual(self.codes(), [])


class ProberGivesUpTest(AdviceTest):
    def test_a_prober_that_abandons_requests(self):
        prober = self.ask(PERSON, HEALTH)
        self.assertEqual(self.codes(), [])
        for after in (1.002, 1.0004):
            self.probers.gave_up(prober, after)
        self.assertEqual(
            self.advice(),
            {
                "prober_gives_up": (
                    "curl 10.0.0.7 (curl/8.10) has abandoned 2 of its 11 requests for /health, the soonest after 1000 ms;"
                    " PROBE_WAIT_SECONDS is 0.25",
                    "raise its timeout above PROBE_WAIT_SECONDS, or lower that",
                )
            },
        )

    def test_a_patience_that_is_not_known_is_not_mentioned(self):
        self.probers.gave_up(self.ask(PERSON, HEALTH), None)
        self.assertEqual(
            self.advice()["prober_gives_up"][0],
            "curl 10.0.0.7 (curl/8.10) has abandoned 1 of its 11 requests for /health; PROBE_WAIT_SECONDS is 0.25",
        )

    def test_the_one_that_abandons_most_is_named(self):
        for address, times in (("10.0.0.1", 1), ("10.0.0.2", 3), ("10.0.0.3", 2)):
            prober = self.ask(PERSON, HEALTH, address=address)
            for _ in range(times):
                self.probers.gave_up(prober, 1.0)
        self.assertIn("10.0.0.2", self.advice()["prober_gives_up"][0])

    def test_none_before_a_minute_and_ten_requests(self):
        few = self.ask(PERSON, HEALTH, times=9, every=60.0)
        self.probers.gave_up(few, 1.0)
        self.probers.gave_up(self.ask(PERSON, HEALTH, times=50, every=1.0, address="10.0.0.8"), 1.0)
        self.assertEqual(self.codes(), [])


class DrainTooShortTest(AdviceTest):
    def test_a_balancer_that_asks_readiness_less_often_than_the_drain_lasts(self):
        self.ask(BALANCER, READY)
        self.assertEqual(
            self.advice(),
            {
                "drain_too_short": (
                    "elb 10.0.0.7 (ELB-HealthChecker/2.0) asks /health/ready every 6 s, and DRAIN_SECONDS is 3",
                    "raise DRAIN_SECONDS, or its rate",
                )
            },
        )

    def test_every_kind_of_balancer_counts(self):
        for number, product in enumerate(BALANCERS):
            with self.subTest(product):
                self.setUp()
                self.ask(product, READY, address=f"10.0.0.{number}")
                self.assertEqual(self.codes(), ["drain_too_short"])

    def test_not_for_other_probers_and_other_routes(self):
        for product in (KUBELET, PERSON, "Mozilla/5.0", "Prometheus/3.0.1", "Consul Health Check"):
            self.ask(product, READY)
        self.ask(PERSON, LIVE, times=1)
        self.ask(BALANCER, HEALTH)
        self.assertEqual(self.codes(), [])

    def test_the_fastest_balancer_decides(self):
        self.ask(BALANCER, READY, every=30.0)
        self.assertIn("every 30 s", self.advice()["drain_too_short"][0])
        self.ask(HAPROXY, READY, every=3.0, times=30)
        self.assertEqual(self.codes(), [])

    def test_none_before_a_minute_and_ten_requests(self):
        self.ask(BALANCER, READY, times=9, every=60.0)
        self.ask(HAPROXY, READY, times=12, every=5.0)
        self.assertEqual(self.codes(), [])
        self.clock.advance(5)
        self.assertEqual(self.codes(), ["drain_too_short"])


class CodeSaysNothingTest(AdviceTest):
    limits = Limits(drain=3.0, unhealthy_status_code=200, probe_wait=0.25)

    def test_a_prober_that_reads_only_the_status_code_which_is_always_200(self):
        self.ask(BALANCER, HEALTH)
        self.assertEqual(
            self.advice(),
            {
                "code_says_nothing": (
                    "elb 10.0.0.7 (ELB-HealthChecker/2.0) has asked /health 11 times and reads only the status code,"
                    " which is always 200",
                    "set UNHEALTHY_STATUS_CODE=503",
                )
            },
        )

    def test_kubelet_and_every_balancer_read_nothing_else(self):
        for product in (KUBELET, *BALANCERS):
            with self.subTest(product):
                self.setUp()
                self.ask(product, HEALTH)
                self.assertIn("code_says_nothing", self.codes())

    def test_not_for_those_that_read_the_answer_and_not_for_other_routes(self):
        self.ask(PERSON, HEALTH)
        self.ask(KUBELET, LIVE)
        self.ask(BALANCER, READY, every=2.0, times=40)
        self.assertEqual(self.codes(), [])

    def test_not_with_the_status_code_503(self):
        self.advisor = Advisor(self.probers, AdviceTest.limits)
        self.ask(BALANCER, HEALTH)
        self.assertEqual(self.codes(), [])

    def test_none_before_a_minute_and_ten_requests(self):
        self.ask(BALANCER, HEALTH, times=9, every=60.0)
        self.ask(HAPROXY, HEALTH, times=50, every=1.0)
        self.assertEqual(self.codes(), [])


class FloodTest(AdviceTest):
    def test_a_prober_that_asks_more_than_50_times_a_second_for_a_minute(self):
        self.ask("wrk/4.2", HEALTH, times=5000, every=0.01)
        self.assertEqual(self.codes(), [])
        self.ask("wrk/4.2", HEALTH, times=2000, every=0.01)
        self.assertEqual(
            self.advice(),
            {
                "flood": (
                    "other 10.0.0.7 (wrk/4.2) has asked /health 100 times a second for a minute or longer",
                    "lower its rate",
                )
            },
        )

    def test_not_at_50_a_second(self):
        self.ask("wrk/4.2", HEALTH, times=6000, every=1 / 49.9)
        self.assertEqual(self.codes(), [])


class AdvisorTest(AdviceTest):
    limits = Limits(drain=3.0, unhealthy_status_code=200, probe_wait=0.25)

    def test_the_facts_are_the_probers_and_the_advice(self):
        self.ask(KUBELET, LIVE, times=2)
        facts = self.advisor.facts()
        self.assertEqual(list(facts), ["probers", "advice"])
        self.assertEqual(facts["advice"], [])
        [prober] = facts["probers"]
        self.assertEqual((prober["kind"], prober["route"], prober["count"]), ("kubelet", LIVE, 2))

    def test_each_code_is_logged_once_however_many_probers_show_it(self):
        log = LogLines(self, "app.health.advice")
        self.advisor.tick()
        self.assertEqual(log.lines, [])
        self.ask(KUBELET, HEALTH)
        self.advisor.tick()
        self.ask(KUBELET, HEALTH, times=20, address="10.0.0.8")
        self.ask(BALANCER, READY)
        self.advisor.tick()
        self.advisor.tick()
        self.assertEqual(
            log.lines,
            [
                "WARNING liveness_on_health: kubelet 10.0.0.7 (kube-probe/1.31) has asked /health 11 times, and nothing"
                " has asked /health/live: point livenessProbe at /health/live: a restart does not repair a dependency",
                "WARNING code_says_nothing: kubelet 10.0.0.7 (kube-probe/1.31) has asked /health 11 times and reads"
                " only the status code, which is always 200: set UNHEALTHY_STATUS_CODE=503",
                "WARNING drain_too_short: elb 10.0.0.7 (ELB-HealthChecker/2.0) asks /health/ready every 6 s, and"
                " DRAIN_SECONDS is 3: raise DRAIN_SECONDS, or its rate",
            ],
        )


if __name__ == "__main__":
    unittest.main()
