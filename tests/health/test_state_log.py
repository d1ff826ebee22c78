"""One line for every change of state."""

import unittest

from app.checks.check import Outcome
from app.health.checker_state import Step
from app.health.record import Record
from app.health.state_log import StateLog
from app.net.reason import Reason


class StateLogTest(unittest.TestCase):
    def setUp(self):
        self.now = 0.0
        self.log = StateLog(clock=lambda: self.now)
        self.record = Record("mongodb", since=0)

    def step(self, ended, reason, error=None):
        before = self.record
        self.record = before.after_check(ended, ended, reason, 1.0)
        self.log(Step(before, self.record, Outcome(reason, 0.001, error)))

    def lines(self, *steps):
        with self.assertLogs("app.health.state_log") as logs:
            for step in steps:
                self.step(*step)
        return [f"{record.levelname} {record.getMessage()}" for record in logs.records]

    def test_up_is_info_and_down_a_warning_with_how_long_the_last_state_held(self):
        self.assertEqual(
            self.lines((300, None), (90_300, Reason.REFUSED, ConnectionRefusedError("no")), (95_300, None)),
            [
                "INFO mongodb connected, after 0.3 s pending",
                "WARNING mongodb disconnected: refused, after 90.0 s connected (ConnectionRefusedError: no)",
                "INFO mongodb connected, after 5.0 s refused",
            ],
        )

    def test_a_check_that_repeats_its_state_is_not_logged(self):
        self.assertEqual(len(self.lines((1, None), (2, None), (3, None))), 1)
        self.assertEqual(len(self.lines((4, Reason.DNS), (5, Reason.DNS))), 1)

    def test_a_changed_reason_is_logged_at_most_once_a_minute(self):
        self.assertEqual(len(self.lines((1, Reason.DNS), (2, Reason.REFUSED), (3, Reason.DNS))), 1)
        self.now = 60.0
        self.assertEqual(
            self.lines((4, Reason.TIMEOUT), (5, Reason.DNS)), ["WARNING mongodb still disconnected, now: timeout"]
        )
