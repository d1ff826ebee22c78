"""Records in, report out."""

import json
import unittest

from app.health.record import Record
from app.health.report import Identity, Report, to_json
from app.net.reason import Reason

IDENTITY = Identity("server", "1.0.0")


def record(name, reason=None):
    return Record(name, since=0).after_check(1000, 1005, reason, 5.0)


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

    def test_checks_hold_all_that_is_known(self):
        checks = Report(IDENTITY, (record("mongodb", Reason.AUTH),)).checks()
        self.assertEqual(
            json.loads(to_json(checks)),
            {
                "mongodb": {
                    "status": "disconnected",
                    "reason": "auth",
                    "latency_ms": 5.0,
                    "checked_at": 1000,
                    "since": 1005,
                    "consecutive_failures": 1,
                    "last_success": None,
                    "history": [{"at": 1000, "status": "disconnected", "latency_ms": 5.0}],
                    "changes": [{"at": 1005, "status": "disconnected", "reason": "auth"}],
                }
            },
        )

    def test_missing_are_the_required_that_are_not_connected(self):
        report = Report(IDENTITY, (record("ai_service"), record("mongodb", Reason.CLOSED)))
        self.assertEqual(report.missing(["mongodb", "ai_service"]), ["mongodb"])
        self.assertEqual(report.missing([]), [])
