"""The answers to the probes, as a table."""

import json
import unittest

from app.health.answers import HEALTH, LIVE, READY, ProbeAnswers
from app.health.report import Identity, Report
from app.net.reason import Reason
from tests.fakes import new_record, outcome


def report(reason=None):
    mongodb = new_record("mongodb", 0).after_check(1, 2, outcome(reason, 1.0))
    return Report(Identity("server", "1"), (new_record("ai_service", 0).after_check(1, 2, outcome(None, 1.0)), mongodb))


def answers(code=503, required=(), ailing=(), draining=False):
    return ProbeAnswers(["ai_service", "mongodb"], code, required, lambda: list(ailing), lambda: draining)


class AnswersTest(unittest.TestCase):
    def assert_ready(self, probe_answers, status, body):
        answer = probe_answers.answer(READY, report(Reason.DNS), 5)
        self.assertEqual((answer.status, json.loads(answer.body)), (status, body))

    def test_health_answers_503_when_unhealthy_or_the_status_code_that_is_set(self):
        self.assertEqual(answers().answer(HEALTH, report(), 5), (200, report().health_json(5)))
        self.assertEqual(answers().answer(HEALTH, report(Reason.DNS), 5).status, 503)
        self.assertEqual(answers(code=200).answer(HEALTH, report(Reason.DNS), 5).status, 200)

    def test_live_names_the_threads_that_no_longer_work(self):
        self.assertEqual(answers().answer(LIVE, None, 5), (200, b'{"status":"alive"}\n'))
        dead = answers(ailing=["monitor"]).answer(LIVE, None, 5)
        self.assertEqual(dead, (503, b'{"status":"dead","threads":["monitor"]}\n'))

    def test_readiness_depends_on_the_required_dependencies_alone(self):
        self.assert_ready(answers(), 200, {"status": "ready"})
        self.assert_ready(answers(required=["ai_service"]), 200, {"status": "ready"})
        self.assert_ready(answers(required=["mongodb"]), 503, {"status": "not ready", "missing": ["mongodb"]})

    def test_readiness_answers_draining_whatever_is_missing(self):
        draining = answers(required=["mongodb"], draining=True)
        self.assert_ready(draining, 503, {"status": "draining", "missing": []})

    def test_an_alias_is_answered_and_counted_as_what_it_stands_for(self):
        some = answers()
        self.assertEqual(some.answer("/healthz", report(), 5), some.answer(HEALTH, report(), 5))
        self.assertEqual(some.answer("/livez", None, 5).body, b'{"status":"alive"}\n')
        self.assertEqual(some.answer("/readyz", report(), 5).body, b'{"status":"ready"}\n')
        self.assertEqual(some.counts.snapshot()[HEALTH, 200], 2)

    def test_a_dependency_is_200_or_503_whatever_the_status_code_of_health_is(self):
        some = answers(code=200)
        up = some.answer("/health/ai_service", report(), 5)
        self.assertEqual(
            (up.status, json.loads(up.body)), (200, {"status": "connected", "reason": None, "detail": None, "since": 2})
        )
        down = some.answer("/health/mongodb", report(Reason.DNS), 5)
        self.assertEqual(down.body, b'{"status":"disconnected","reason":"dns","detail":"because","since":2}\n')
        self.assertEqual(down.status, 503)

    def test_every_answer_is_counted_and_those_never_given_are_zero(self):
        some = answers()
        some.answer(HEALTH, report(), 5)
        some.answer(READY, report(), 5)
        given = {key: count for key, count in some.counts.snapshot().items() if count}
        self.assertEqual(given, {(HEALTH, 200): 1, (READY, 200): 1})
        self.assertIn((LIVE, 503), some.counts.snapshot())


if __name__ == "__main__":
    unittest.main()
