"""A report in other formats than our own JSON."""

import json
import unittest

from app.health.formats import health_json, span, text
from app.health.report import Identity, Report
from app.net.reason import Reason
from tests.fakes import new_record, outcome

NOW = 1_795_464_000_000
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
            text(report, NOW, {}).decode(),
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
        report = Report(IDENTITY, tuple(record(name, Reason.HTTP_STATUS, required=False) for name in names))
        lines = text(report, NOW + 400 * 86_400_000, {}).decode().splitlines()
        self.assertEqual(len(lines), 2 + 64)
        self.assertLessEqual(max(map(len, lines)), 80)


class SpanTest(unittest.TestCase):
    def test_a_length_of_time_has_its_two_largest_units(self):
        for milliseconds, shown in [
            (-5, "0 s"),
            (999, "0 s"),
            (59_999, "59 s"),
            (185_000, "3 min 5 s"),
            (7_200_000, "2 h"),
            (356_400_000, "4 d 3 h"),
        ]:
            self.assertEqual(span(milliseconds), shown)


if __name__ == "__main__":
    unittest.main()
