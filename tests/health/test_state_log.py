"""One line for each change of status."""

import unittest

from app.checks.check import Outcome
from app.health.checker_state import Step
from app.health.state_log import StateLog
from app.net.reason import Cause, Reason
from tests.fakes import ScriptedClock, new_record

DOWN = (Reason.REFUSED, "connection refused")


class StateLogTest(unittest.TestCase):
    def setUp(self):
        self.clock = ScriptedClock()
        self.log = StateLog("shop", {"mongodb": "mongodb://db/app"}, self.clock)
        self.record = new_record("mongodb", 0)

    def check(self, cause=None, error=None, seconds=0.0):
        """A check ends `seconds` after the last one."""
        self.clock.advance(seconds)
        before, now = self.record, int(self.clock() * 1000)
        ended = Outcome(cause and Cause(*cause), 0.001, error)
        self.record = before.after_check(now, now, ended)
        self.log(Step(before, self.record, ended))

    def lines(self, *checks):
        with self.assertLogs("app.health.state_log") as logs:
            for cause, seconds in checks:
                self.check(cause, seconds=seconds)
        self.records = logs.records
        return [f"{record.levelname} {record.getMessage()}" for record in logs.records]

    def test_a_change_of_status_is_logged_with_its_cause_the_address_and_how_long_the_last_one_held(self):
        self.assertEqual(
            self.lines((None, 0.3), (DOWN, 90.0), (None, 5.0)),
            [
                "INFO mongodb connected, asked mongodb://db/app, after 0.3 s pending",
                "WARNING mongodb disconnected: refused, connection refused, asked mongodb://db/app, "
                "after 90.0 s connected",
                "INFO mongodb connected, asked mongodb://db/app, after 5.0 s refused",
            ],
        )

    def test_the_exception_stands_at_the_end(self):
        with self.assertLogs("app.health.state_log") as logs:
            self.check(DOWN, ConnectionRefusedError("no"))
        self.assertTrue(logs.output[0].endswith(" (ConnectionRefusedError: no)"), logs.output)

    def test_the_fields_are_there_for_programs_and_null_when_it_is_back(self):
        self.lines((DOWN, 1), (None, 1))
        fields = [(record.dependency, record.reason, record.detail, record.service) for record in self.records]
        self.assertEqual(fields, [("mongodb", *DOWN, "shop"), ("mongodb", None, None, "shop")])

    def test_a_check_that_repeats_its_result_is_not_logged(self):
        self.assertEqual(len(self.lines((None, 1), (None, 100), (None, 100))), 1)
        self.assertEqual(len(self.lines((DOWN, 1), (DOWN, 100), (DOWN, 100))), 1)

    def test_another_cause_is_held_back_until_a_minute_after_the_last_line_and_then_logged(self):
        self.lines((DOWN, 1))
        with self.assertNoLogs("app.health.state_log"):
            self.check((Reason.HTTP_STATUS, "answered 500"), seconds=3)
            self.check((Reason.AUTH, "answered 401"), seconds=2)
            self.clock.advance(54)
            self.log.tick()
        self.clock.advance(1)
        with self.assertLogs("app.health.state_log") as logs:
            self.log.tick()
            self.log.tick()
        self.assertEqual(
            [record.getMessage() for record in logs.records],
            ["mongodb still disconnected, now: auth, answered 401, asked mongodb://db/app"],
        )

    def test_another_cause_that_no_longer_holds_after_the_minute_is_not_logged(self):
        self.lines((DOWN, 1))
        with self.assertNoLogs("app.health.state_log"):
            self.check((Reason.DNS, "name not found"), seconds=3)
            self.check(DOWN, seconds=3)
            self.clock.advance(100)
            self.log.tick()

    def test_a_dependency_that_stays_disconnected_is_logged_again_every_hour(self):
        self.lines((DOWN, 1))
        for hours in (1, 2):
            self.clock.advance(3600)
            with self.assertLogs("app.health.state_log") as logs:
                self.log.tick()
            self.assertIn("still disconnected: refused, connection refused", logs.output[0])
            self.assertIn(f", for {hours * 3600} s", logs.output[0])

    def test_nothing_is_due_before_the_first_check_and_while_all_is_well(self):
        self.log.tick()
        self.lines((None, 1))
        with self.assertNoLogs("app.health.state_log"):
            self.clock.advance(10_000)
            self.log.tick()


if __name__ == "__main__":
    unittest.main()
