"""What the page shows of a report."""

import unittest

from app.health.report import Identity, Report
from app.net.reason import Reason
from app.page.charts import WINDOW_MS
from app.page.content import CHANGES_TOGETHER, page
from tests.fakes import new_record, outcome

NOW = 1795435200000  # 2026-11-23 12:00:00 UTC


def record(name, *results, **options):
    """A result is (milliseconds ago, reason)."""
    known = new_record(name, NOW - 100_000, **options)
    for ago, reason in results:
        known = known.after_check(NOW - ago, NOW - ago, outcome(reason))
    return known


def shown(*records, outbound=(), open=3, **facts):
    inbound = {"open": open, "cap": 96, "refused": 7}
    connections = {"outbound": outbound, "inbound": inbound}
    given = {
        "connections": connections,
        "draining": False,
        "started_at": NOW - 100_000,
        "software": {"name": "server-health", "version": "1.1.0"},
        "probers": [],
        "advice": [],
    }
    return page(Report(Identity("server", "1.0.0"), records), given | facts, NOW)


class VerdictTest(unittest.TestCase):
    def test_a_healthy_service_is_healthy_since_the_last_recovery(self):
        page = shown(record("ai_service", (9000, None)), record("mongodb", (90_000, None)))
        self.assertEqual((page.verdict, page.title), ("healthy", "healthy · server"))
        self.assertEqual(page.summary, "Every dependency is connected.")
        self.assertEqual(page.since.age, "9 s")

    def test_an_unhealthy_service_names_what_is_wrong_and_since_when(self):
        page = shown(
            record("ai_service", (90_000, None), (30_000, Reason.TIMEOUT)),
            record("mongodb", (90_000, None), (20_000, Reason.REFUSED)),
            record("search_index", (10_000, None)),
        )
        self.assertEqual((page.verdict, page.title), ("unhealthy", "unhealthy: AI service and MongoDB · server"))
        self.assertEqual(
            page.summary,
            "AI service is disconnected: no answer within 5 s. MongoDB is disconnected: connection refused.",
        )
        self.assertEqual(page.since.since, "11:59:30, for 30 s")

    def test_a_service_is_unhealthy_since_a_required_dependency_failed_however_long_an_optional_one_has(self):
        page = shown(
            record("cache", (90_000, Reason.CLOSED), required=False),
            record("mongodb", (90_000, None), (20_000, Reason.REFUSED)),
        )
        self.assertEqual((page.verdict, page.since.age), ("unhealthy", "20 s"))

    def test_a_service_without_an_optional_dependency_is_degraded(self):
        cache = record("cache", (90_000, None), (20_000, Reason.CLOSED), required=False)
        page = shown(record("ai_service", (90_000, None)), cache)
        self.assertEqual((page.verdict, page.title), ("degraded", "degraded: cache · server"))
        self.assertEqual(
            page.summary, "cache, which is optional, is disconnected: connection closed without an answer."
        )
        self.assertEqual(page.since.age, "20 s")

    def test_a_service_with_nothing_but_optional_dependencies_is_degraded_since_the_first_of_them_failed(self):
        optional = {"required": False}
        down, up = (
            record("cache", (90_000, None), (20_000, Reason.CLOSED), **optional),
            record("x", (9000, None), **optional),
        )
        self.assertEqual((shown(down, up).verdict, shown(down, up).since.age), ("degraded", "20 s"))
        self.assertEqual((shown(up).verdict, shown(up).since.age), ("healthy", "9 s"))

    def test_a_service_is_degraded_since_it_was_last_unhealthy(self):
        cache = record("cache", (90_000, Reason.CLOSED), required=False)
        page = shown(record("mongodb", (90_000, Reason.CLOSED), (9000, None)), cache)
        self.assertEqual((page.verdict, page.since.age), ("degraded", "9 s"))

    def test_of_many_dependencies_that_are_down_the_first_are_named_and_the_others_counted(self):
        for count, names in ((3, "d0, d1 and d2"), (4, "d0, d1, d2 and d3"), (5, "d0, d1, d2 and 2 more")):
            page = shown(*(record(f"d{n}", (9000, Reason.DNS)) for n in range(count)), record("up", (9000, None)))
            self.assertEqual(page.summary, f"{count} of {count + 1} dependencies are disconnected: {names}.")
            self.assertEqual(page.title, f"unhealthy: {names} · server")

    def test_before_the_first_check_nothing_is_known(self):
        page = shown(record("mongodb"), record("ai_service"))
        self.assertEqual((page.verdict, page.unknown, page.summary), ("unhealthy", True, "No check has ended yet."))
        page = shown(record("mongodb"), record("ai_service", (9000, None)))
        self.assertEqual((page.unknown, page.summary), (False, "MongoDB is disconnected: not checked yet."))

    def test_the_page_shows_draining_and_how_long_the_service_has_been_up(self):
        self.assertFalse(shown(record("mongodb")).draining)
        page = shown(record("mongodb"), draining=True)
        self.assertTrue(page.draining)
        self.assertEqual(page.started.age, "1 min 40 s")


class OrderTest(unittest.TestCase):
    def test_the_worst_come_first_and_doubt_comes_before_what_is_well(self):
        page = shown(
            record("a", (9000, None)),
            record("b", (9000, None), (1000, Reason.DNS), failures=2),
            record("c", (9000, Reason.DNS), required=False),
            record("d", (9000, Reason.DNS)),
        )
        self.assertEqual([each.record.name for each in page.down], ["d", "c"])
        self.assertEqual([each.record.name for each in page.up], ["b", "a"])

    def test_the_worst_list_their_changes_until_the_page_lists_enough(self):
        flapping = [(1000 * k, Reason.DNS if k % 2 else None) for k in range(40, 0, -1)]
        page = shown(record("up", *flapping, (1, None)), *(record(f"d{n}", *flapping) for n in range(9)))
        self.assertEqual([len(each.changes) for each in page.down], [8, 4, 0, 0, 0, 0, 0, 0, 0])
        self.assertEqual(CHANGES_TOGETHER, 12)
        self.assertEqual([len(each.changes) for each in page.up], [0])

    def test_every_chart_covers_the_same_time_which_is_named(self):
        self.assertEqual(shown(record("mongodb")).window, "since the start")
        self.assertEqual(shown(record("mongodb"), started_at=NOW - WINDOW_MS).window, "last 24 h")


class ConnectionsTest(unittest.TestCase):
    def test_upstreams_are_shown_with_their_reason_the_worst_first(self):
        outbound = [
            {"id": "a", "state": "connected", "reason": None, "attempts": 0, "since": NOW - 60_000},
            {"id": "b", "state": "connecting", "reason": "pending", "attempts": 0, "since": NOW},
            {"id": "c", "state": "reconnecting", "reason": "timeout", "attempts": 1, "since": NOW - 5_000},
            {"id": "d", "state": "failed", "reason": "refused", "attempts": 5, "since": NOW},
        ]
        self.assertEqual(
            [(up.id, up.state, up.reason, up.since.age, up.attempts) for up in shown(outbound=outbound).upstreams],
            [
                ("d", "failed", "connection refused", "0 s", "5 failed attempts"),
                ("c", "reconnecting", "no answer in time", "5 s", "1 failed attempt"),
                ("b", "connecting", "", "0 s", ""),
                ("a", "connected", "", "1 min", ""),
            ],
        )

    def test_the_number_of_clients_is_shown_and_whether_one_more_has_a_place(self):
        page = shown(record("mongodb"))
        self.assertEqual((page.clients, page.seats), ("3 of 96 places taken, 7 refused", True))
        self.assertFalse(shown(record("mongodb"), open=96).seats)
