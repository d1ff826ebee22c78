"""Records in, report out."""

import json
import unittest

from app.health.report import Identity, Report, to_json
from app.net.reason import Reason
from tests.fakes import new_record, outcome

IDENTITY = Identity("server", "1.0.0")


def record(name, reason=None):
    return new_record(name, 0).after_check(1000, 1005, outcome(reason, 5.0))


class ReportTest(unittest.TestCase):
    def test_it_is_healthy_only_if_every_dependency_is_connected(self):
        for ai_service, mongodb, status in [
            (None, None, "healthy"),
            (Reason.TIMEOUT, None, "unhealthy"),
            (None, Reason.NO_PRIMARY, "unhealthy"),
            (Reason.PENDING, Reason.STALE, "unhealthy"),
        ]:
            with self.subTest(ai_service=ai_service, mongodb=mongodb):
                report = Report(IDENTITY, (record("ai_service", ai_service), record("mongodb", mongodb)))
                self.assertEqual(report.status, status)

    def test_health_is_the_five_fields_in_their_order(self):
        report = Report(IDENTITY, (record("ai_service"), record("mongodb", Reason.REFUSED)))
        self.assertEqual(
            report.health_json(1795464000000),
            b'{"status":"unhealthy","timestamp":1795464000000,"version":"1.0.0","service":"server",'
            b'"dependencies":{"ai_service":"connected","mongodb":"disconnected"}}\n',
        )

    def test_the_bytes_are_those_of_the_fields_whatever_the_service_is_called(self):
        for name in ('"timestamp":-1', "Größe ☃", 'a"b\\'):
            with self.subTest(name):
                report = Report(Identity(name, '"timestamp":-1'), (record("mongodb"),))
                self.assertEqual(report.health_json(7), to_json(report.health(7)))

    def test_an_optional_dependency_degrades_and_never_makes_unhealthy(self):
        optional = new_record("cache", required=False)
        for reason, degraded in ((None, []), (Reason.REFUSED, ["cache"])):
            report = Report(IDENTITY, (record("ai_service"), optional.after_check(1, 2, outcome(reason))))
            self.assertEqual((report.status, report.degraded), ("healthy", degraded))
        self.assertEqual(report.health(5)["dependencies"]["cache"], "disconnected")

    def test_checks_hold_everything_that_is_known(self):
        checks = Report(IDENTITY, (record("mongodb", Reason.AUTH),)).checks()
        self.assertEqual(
            json.loads(to_json(checks)),
            {
                "mongodb": {
                    "kind": "mongodb",
                    "title": "MongoDB",
                    "required": True,
                    "status": "disconnected",
                    "reason": "auth",
                    "detail": "because",
                    "last_result": "disconnected",
                    "latency_ms": 5.0,
                    "checked_at": 1000,
                    "since": 1005,
                    "consecutive_failures": 1,
                    "last_success": None,
                    "certificate_expires_at": None,
                    "affects": None,
                    "runbook_url": None,
                    "history": [{"at": 1000, "status": "disconnected", "latency_ms": 5.0}],
                    "changes": [{"at": 1005, "status": "disconnected", "reason": "auth"}],
                }
            },
        )

    def test_missing_are_the_required_that_are_not_connected(self):
        report = Report(IDENTITY, (record("ai_service"), record("mongodb", Reason.CLOSED)))
        self.assertEqual(report.missing(["mongodb", "ai_service"]), ["mongodb"])
        self.assertEqual(report.missing([]), [])
