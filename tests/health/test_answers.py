"""The answers to the probes, as a table."""

import json
import unittest

from app.health.answers import ProbeAnswers
from app.health.checks import Reason
from app.health.record import Record
from app.health.report import Identity, Report


def report(reason=None):
    mongodb = Record("mongodb", 0).after_check(1, 2, reason, 1.0)
    return Report(Identity("server", "1"), (Record("ai_service", 0).after_check(1, 2, None, 1.0), mongodb))


def answers(code=503, required=(), ailing=(), draining=False):
    return ProbeAnswers(code, required, lambda: list(ailing), lambda: draining)


class AnswersTest(unittest.TestCase):
    def assert_answer(self, answer, status, body):
        self.assertEqual((answer.status, json.loads(answer.body)), (status, body))

    def test_health_says_503_when_unhealthy_or_what_is_set_for_it(self):
        self.assertEqual(answers().health(report(), 5).status, 200)
        self.assertEqual(answers().health(report(Reason.DNS), 5).status, 503)
        self.assertEqual(answers(code=200).health(report(Reason.DNS), 5).status, 200)
        self.assertEqual(answers().health(report(), 5).body, report().health_json(5))

    def test_live_names_the_threads_that_no_longer_work(self):
        self.assert_answer(answers().live(), 200, {"status": "alive"})
        self.assert_answer(answers(ailing=["monitor"]).live(), 503, {"status": "dead", "threads": ["monitor"]})

    def test_ready_is_asked_of_what_is_required_only(self):
        down = report(Reason.DNS)
        self.assert_answer(answers().ready(down), 200, {"status": "ready"})
        self.assert_answer(answers(required=["ai_service"]).ready(down), 200, {"status": "ready"})
        self.assert_answer(
            answers(required=["mongodb"]).ready(down), 503, {"status": "not ready", "missing": ["mongodb"]}
        )

    def test_ready_says_draining_first(self):
        self.assert_answer(
            answers(required=["mongodb"], draining=True).ready(report(Reason.DNS)),
            503,
            {"status": "draining", "missing": []},
        )
