"""A report in other formats than our own JSON."""

import json
import unittest

from app.health.formats import health_json, span, text
from app.health.report import Identity, Report
from app.net.reason import Reason
from tests.fakes import new_record, outcome

NOW = 1_795_464_000_000
NOBODY = {"probers": [], "advice": []}
IDENTITY = Identity("shop", "2.1")


def record(name, reason=None, **dependency):
    return new_record(name, NOW - 90_000, **dependency).after_check(NOW - 2000, NOW - 1000, outcome(reason, 1.25))


class HealthJsonTest(unittest.TestCase):
    """The rules of draft-inadarei-api-health-check-06."""

    def test_everything_the_draft_names_is_there(self):
        down = record("mongodb", Reason.REFUSED, affects="Orders cannot be placed")
        self.assertEqual(
            json.loads(health_json(Report(IDENTITY, (record("ai_service"), down)))),
            {
                "status": "fail",
                "version": "2.1",
                "serviceId": "shop",
                "checks": {
                    "ai_service:responseTime": [
                        {
                            "status": "pass",
                            "componentType": "component",
                            "observedValue": 1.25,
                            "observedUnit": "ms",
                            "time": "2026-11-23T19:59:58.000Z",
                        }
                    ],
                    "mongodb:responseTime": [
                        {
                            "status": "fail",
                            "componentType": "datastore",
                            "observedValue": 1.25,
                            "observedUnit": "ms",
                            "time": "2026-11-23T19:59:58.000Z",
                            "output": "refused: because",
                            "affectedEndpoints": ["Orders cannot be placed"],
                        }
                    ],
                },
            },
        )

    def test_an_optional_dependency_that_is_disconnected_is_a_warning(self):
        document = json.loads(health_json(Report(IDENTITY, (record("cache", Reason.TIMEOUT, required=False),))))
        self.assertEqual((document["status"], document["checks"]["cache:responseTime"][0]["status"]), ("warn", "warn"))

    def test_before_the_first_check_there_is_neither_a_time_nor_a_value(self):
        document = json.loads(health_json(Report(IDENTITY, (new_record("mongodb"),))))
        self.assertEqual(
            document["checks"]["mongodb:responseTime"],
            [{"status": "fail", "componentType": "datastore", "output": "pending: no check has ended yet"}],
        )


class TextTest(unittest.TestCase):
    def test_it_is_a_table_with_the_worst_first(self):
        report = Report(
            IDENTITY,
            (record("ai_service"), record("cache", Reason.TIMEOUT, required=False), record("mongodb", Reason.REFUSED)),
        )
        self.assertEqual(
            text(report, NOW, NOBODY).decode(),
            "shop 2.1 is unhealthy\n"
            "DEPENDENCY        STATUS                 FOR  LATENCY  LAST SUCCESS\n"
            "mongodb           disconnected: refused  1 s  1.2 ms   never\n"
            "  because\n"
            "cache (optional)  disconnected: timeout  1 s  1.2 ms   never\n"
            "  because\n"
            "ai_service        connected              1 s  1.2 ms   2 s ago\n",
        )

    def test_no_line_is_longer_than_80_columns_whatever_the_names_are(self):
        names = ["x" * 32 + str(number) for number in range(32)]
        identity = Identity("shop" * 100, "2.1")
        report = Report(identity, tuple(record(name, Reason.HTTP_STATUS, required=False) for name in names))
        lines = text(report, NOW + 400 * 86_400_000, NOBODY).decode().splitlines()
        self.assertTrue(lines[0].endswith("shop is degraded"), lines[0])
        self.assertEqual(len(lines), 2 + 64)
        self.assertLessEqual(max(map(len, lines)), 80)


def prober(number=0, **fields):
    """As in the details."""
    return {
        "address": f"10.0.0.{number}",
        "product": "kube-probe/1.31",
        "kind": "kubelet",
        "route": "/health",
        "first_seen": NOW - 90_000,
        "last_seen": NOW - 1000 * number,
        "count": 9,
        "period_ms": 10_000.0,
        "last_status": 503,
        "abandoned": 0,
        "abandoned_after_ms": None,
    } | fields


class WhoAsksTextTest(unittest.TestCase):
    REPORT = Report(IDENTITY, (record("mongodb"),))

    def lines(self, **facts):
        """What is added to the table of dependencies."""
        lines = text(self.REPORT, NOW, NOBODY | facts).decode().splitlines()
        self.assertEqual(lines[:3], text(self.REPORT, NOW, NOBODY).decode().splitlines())
        self.assertLessEqual(max(map(len, lines)), 80)
        return lines[3:]

    def test_advice_stands_before_those_who_ask(self):
        advice = [{"code": "flood", "evidence": "wrk asks often; " * 9, "do": "lower its rate"}]
        self.assertEqual(
            self.lines(advice=advice, probers=[prober()]),
            [
                "ADVICE",
                "  flood: wrk asks often; wrk asks often; wrk asks often; wrk asks often; wrk",
                "    asks often; wrk asks often; wrk asks often; wrk asks often; wrk asks often;",
                "  -> lower its rate",
                "WHO ASKS",
                "  ADDRESS   PROBER   ROUTE    COUNT  EVERY  LAST  SEEN     GAVE UP",
                "  10.0.0.0  kubelet  /health  9      10 s   503   0 s ago  0",
            ],
        )

    def test_without_either_nothing_is_added(self):
        self.assertEqual(self.lines(advice=[], probers=[]), [])

    def test_those_that_give_up_come_first_then_the_most_recent(self):
        probers = [prober(3, abandoned=1), prober(2), prober(1), prober(4, abandoned=7)]
        self.assertEqual(
            [line.split()[0] for line in self.lines(probers=probers)[2:]],
            ["10.0.0.4", "10.0.0.3", "10.0.0.1", "10.0.0.2"],
        )

    def test_what_is_not_known_is_a_dash_and_another_kind_is_named_by_its_product(self):
        unknown = prober(
            kind="other", product="wrk/4", period_ms=None, last_status=None, abandoned=None, last_seen=NOW - 200_000
        )
        self.assertEqual(
            self.lines(probers=[unknown, prober(kind="unnamed", product=None, period_ms=1999.9)])[2:],
            [
                "  10.0.0.0  unnamed  /health  9      2 s    503   0 s ago         0",
                "  10.0.0.0  wrk/4    /health  9      -      -     3 min 20 s ago  -",
            ],
        )

    def test_there_are_ten_rows_and_the_number_of_the_others(self):
        lines = self.lines(probers=[prober(number) for number in range(64)])
        self.assertEqual((len(lines), lines[-1]), (2 + 10 + 1, "  and 54 more"))
        self.assertEqual(len(self.lines(probers=[prober(number) for number in range(10)])), 2 + 10)

    def test_no_line_is_longer_than_80_columns_whatever_strangers_send(self):
        self.lines(
            advice=[{"code": "flood", "evidence": "x" * 64 + " " + "y" * 200, "do": "z" * 100}],
            probers=[
                prober(
                    address="2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                    kind="other",
                    product="x" * 64,
                    route="/health/" + "y" * 32,
                    count=10**12,
                    period_ms=86_399_000.0,
                    last_seen=NOW - 86_399_000 * 99,
                    abandoned=10**9,
                )
            ],
        )


class SpanTest(unittest.TestCase):
    def test_a_length_of_time_has_its_two_largest_units(self):
        for milliseconds, shown in [
            (-5000, "0 s"),  # a clock may be set back
            (999, "0 s"),
            (1000, "1 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (185_000, "3 min 5 s"),
            (3_599_000, "59 min 59 s"),
            (3_659_000, "1 h"),
            (7_200_000, "2 h"),
            (86_399_000, "23 h 59 min"),
            (356_400_000, "4 d 3 h"),
        ]:
            self.assertEqual(span(milliseconds), shown)


if __name__ == "__main__":
    unittest.main()
