"""What the page shows of a report."""

import unittest

from app.health.report import Identity, Report
from app.health.timing import Timing
from app.net.reason import Reason
from app.page.content import page, plain_words
from tests.fakes import new_record, outcome

NOW = 1795435200000  # 2026-11-23 12:00:00 UTC
CONNECTIONS = {
    "by_state": {"connecting": 0, "connected": 3, "reconnecting": 1, "failed": 0, "closed": 0},
    "outbound": [
        {"id": "a", "state": "connected", "attempts": 0, "since": NOW - 60_000},
        {"id": "b", "state": "reconnecting", "attempts": 1, "since": NOW - 5_000},
        {"id": "c", "state": "failed", "attempts": 5, "since": NOW},
    ],
    "inbound": {"open": 3, "cap": 96, "refused": 7},
}


def record(name, *results):
    """A result is (milliseconds ago, reason, latency)."""
    known = new_record(name, NOW - 100_000)
    for ago, reason, latency in results:
        known = known.after_check(NOW - ago, NOW - ago, outcome(reason, latency))
    return known


def shown(*records, draining=False):
    facts = {"connections": CONNECTIONS, "draining": draining, "started_at": NOW - 100_000}
    return page(Report(Identity("server", "1.0.0"), records), facts, NOW)


class VerdictTest(unittest.TestCase):
    def test_a_healthy_service_is_healthy_since_the_last_recovery(self):
        page = shown(record("ai_service", (9000, None, 1)), record("mongodb", (90_000, None, 1)))
        self.assertEqual((page.status, page.title), ("healthy", "healthy · server"))
        self.assertEqual(page.summary, "Every dependency is connected.")
        self.assertEqual(page.since.age, "9 s")

    def test_an_unhealthy_service_names_what_is_wrong_and_since_when(self):
        page = shown(
            record("ai_service", (90_000, None, 1), (30_000, Reason.TIMEOUT, 5000)),
            record("mongodb", (90_000, None, 1), (20_000, Reason.REFUSED, 1)),
            record("search_index", (10_000, None, 1)),
        )
        self.assertEqual((page.status, page.title), ("unhealthy", "unhealthy: AI service, MongoDB · server"))
        self.assertEqual(
            page.summary,
            "AI service is disconnected: no answer within 5 s. MongoDB is disconnected: connection refused.",
        )
        self.assertEqual((page.since.clock, page.since.age), ("11:59:30", "30 s"))

    def test_a_service_without_an_optional_dependency_is_degraded(self):
        cache = new_record("cache", NOW - 100_000, required=False)
        cache = cache.after_check(NOW - 20_000, NOW - 20_000, outcome(Reason.CLOSED))
        page = shown(record("ai_service", (90_000, None, 1)), cache)
        self.assertEqual((page.status, page.title), ("degraded", "degraded: cache · server"))
        self.assertEqual(page.since.age, "20 s")

    def test_before_the_first_check_nothing_is_known(self):
        page = shown(record("mongodb"))
        self.assertEqual(page.summary, "MongoDB is disconnected: not checked yet.")
        (dependency,) = page.dependencies
        self.assertEqual((dependency.checked, dependency.last_success, dependency.latency), (None, None, "none"))
        self.assertEqual(dependency.spark_text, "no check has finished yet")
        self.assertEqual(dependency.strip_text, "nothing known yet")
        self.assertEqual(dependency.changes_text, "0 changes")

    def test_the_page_shows_draining_and_how_long_the_service_has_been_up(self):
        self.assertFalse(shown(record("mongodb")).draining)
        page = shown(record("mongodb"), draining=True)
        self.assertTrue(page.draining)
        self.assertEqual(page.started.age, "1 min 40 s")


class DependencyTest(unittest.TestCase):
    def one(self, *results):
        return shown(record("mongodb", *results)).dependencies[0]

    def test_every_reason_has_plain_words_of_its_own(self):
        quick = new_record(timing=Timing(timeout=0.5))
        words = [plain_words(quick, reason) for reason in (None, *Reason)]
        self.assertEqual(len(set(words)), len(Reason) + 1)
        self.assertEqual(plain_words(quick, Reason.TIMEOUT), "no answer within 0.5 s")

    def test_latency_is_rounded_to_the_digits_that_matter(self):
        for latency, text in [
            (0.0, "under 0.1 ms"),
            (0.049, "under 0.1 ms"),
            (0.05, "0.1 ms"),
            (0.26, "0.3 ms"),
            (9.94, "9.9 ms"),
            (10.4, "10 ms"),
            (10.6, "11 ms"),
            (4999.6, "5000 ms"),
        ]:
            with self.subTest(latency):
                self.assertEqual(self.one((1000, None, latency)).latency, text)

    def test_a_disconnected_dependency_has_no_latency_but_a_last_success(self):
        one = self.one((9000, None, 1), (4000, Reason.DNS, 3))
        self.assertEqual(
            (one.status, one.reason, one.latency), ("disconnected", "host name cannot be resolved", "none")
        )
        self.assertEqual((one.last_success.ago, one.checked.ago), ("9 s ago", "4 s ago"))

    def test_the_last_checks_are_summed_up_in_words(self):
        for results, text in [
            ([(1, None, 2)], "1 check, 2.0 ms to 2.0 ms"),
            ([(3, None, 2), (2, Reason.TLS, 9), (1, None, 12)], "3 checks, 2.0 ms to 12 ms, 1 failed"),
            ([(2, Reason.TLS, 9), (1, Reason.TLS, 9)], "2 checks, none succeeded"),
        ]:
            with self.subTest(text):
                self.assertEqual(self.one(*results).spark_text, text)

    def test_outages_are_summed_up_in_words(self):
        for results, text in [
            ([(9000, None, 2)], "connected all the time"),
            ([(9000, None, 2), (5000, Reason.TLS, 9)], "disconnected once, 5 s in total"),
            ([(9000, Reason.TLS, 9), (8000, None, 9), (5000, Reason.TLS, 9)], "disconnected 2 times, 6 s in total"),
        ]:
            with self.subTest(text):
                self.assertEqual(self.one(*results).strip_text, text)

    def test_the_newest_change_is_listed_first(self):
        one = self.one((9000, None, 2), (5000, Reason.TLS, 9))
        self.assertEqual(
            [(change.at.clock, change.status, change.reason) for change in one.changes],
            [("11:59:55", "disconnected", "TLS handshake failed"), ("11:59:51", "connected", "")],
        )
        self.assertEqual(one.changes_text, "2 changes")

    def test_only_the_last_eight_changes_are_listed(self):
        one = self.one(*((20_000 - 1000 * k, Reason.TLS if k % 2 else None, 1) for k in range(12)))
        self.assertEqual((len(one.changes), one.changes_text), (8, "last 8 of 12 changes"))


class ConnectionsTest(unittest.TestCase):
    def test_each_upstream_and_the_number_of_clients_are_shown(self):
        page = shown(record("mongodb"))
        self.assertEqual(page.by_state, CONNECTIONS["by_state"])
        self.assertEqual(
            [(up.id, up.state, up.since.age, up.attempts) for up in page.upstreams],
            [
                ("a", "connected", "1 min", ""),
                ("b", "reconnecting", "5 s", "1 failed attempt"),
                ("c", "failed", "0 s", "5 failed attempts"),
            ],
        )
        self.assertEqual(page.clients, "3 of 96 places taken, 7 refused")
