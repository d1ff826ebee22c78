"""Each step of the doctor, broken once for each kind: the sentences that it gives."""

import tempfile
import unittest

from app.checks.kinds import KINDS
from app.doctor.websocket import KIND
from tests.doctor.broken import CASES
from tests.doctor.diagnosing import DiagnosisTest


class BrokenStepsTest(DiagnosisTest):
    def assert_cases(self, kind, *steps):
        """Every case has its sentences, and there is one for each of `steps`."""
        broken = set()
        with tempfile.TemporaryDirectory() as folder:
            for case in CASES[kind](folder):
                with self.subTest(case.how, step=case.step):
                    diagnosis = self.diagnose(case.url, **case.options)
                    self.assert_failed(diagnosis, case.step, case.advice)
                    self.assertEqual(diagnosis.kind, kind)
                    broken.add(case.step)
        self.assertEqual(broken, set(steps))

    def test_each_step_of_an_http_service(self):
        self.assert_cases("http", "name", "connect", "tls", "speak", "authenticate", "check")

    def test_each_step_of_mongodb(self):
        self.assert_cases("mongodb", "name", "connect", "tls", "speak", "authenticate", "check")

    def test_each_step_of_redis(self):
        self.assert_cases("redis", "name", "connect", "tls", "speak", "authenticate", "check")

    def test_each_step_of_postgresql(self):
        self.assert_cases("postgresql", "name", "connect", "tls", "speak")  # the others: tests.doctor.test_postgresql

    def test_each_step_of_a_tcp_server(self):
        self.assert_cases("tcp", "name", "connect")  # its check is a connection too

    def test_each_step_of_an_upstream(self):
        self.assert_cases("websocket", "name", "connect", "tls", "speak", "authenticate", "check")

    def test_there_are_cases_for_every_kind(self):
        self.assertEqual(set(CASES), {kind.name for kind in KINDS.values()} | {KIND})


if __name__ == "__main__":
    unittest.main()
