"""The rules of app.health.timing, as tables."""

import unittest

from app.health.timing import NEVER, Timing

TIMING = Timing(interval=5, max_age=1, probe_wait=0.25, timeout=5)


class DueTest(unittest.TestCase):
    def test_the_next_check_begins_at_the_moment_in_the_table(self):
        for title, last_began, wanted, followed, due in [
            ("unasked, after the interval", 100, NEVER, False, 105),
            ("asked long after the last one, at once", 100, 103, False, 103),
            ("asked just after the last one, after max_age", 100, 100.2, False, 101),
            ("asked before the last one began, that one was the answer", 100, 99, False, 105),
            ("followed, every max_age", 100, NEVER, True, 101),
            ("the first, as soon as it is asked for", NEVER, 50, False, 50),
        ]:
            with self.subTest(title):
                self.assertEqual(TIMING.due(last_began, wanted, followed), due)

    def test_however_many_ask_two_checks_are_max_age_apart(self):
        due = [TIMING.due(100, 100 + moment / 100, True) for moment in range(100)]
        self.assertEqual(set(due), {101})


class ProbeWaitTest(unittest.TestCase):
    def test_a_probe_waits_as_long_as_the_table_shows(self):
        for title, result_began, check_began, now, until in [
            ("a fresh result: not", 100, 100, 100.5, None),
            ("older than max_age, but by less than the wait: not", 100, 101.1, 101.2, None),
            ("older than both: until the wait after the check began", 100, 110, 110.1, 110.25),
            ("a check under way for longer than the wait: not", 100, 110, 110.25, None),
            ("a check that hangs: not", 100, 110, 114, None),
            ("nothing known yet: for the first check", NEVER, 110, 110, 110.25),
        ]:
            with self.subTest(title):
                self.assertEqual(TIMING.probe_waits_until(result_began, check_began, now), until)

    def test_without_a_wait_no_probe_waits(self):
        timing = Timing(probe_wait=0)
        self.assertIsNone(timing.probe_waits_until(NEVER, 110, 110))


class StaleTest(unittest.TestCase):
    def test_a_result_is_stale_a_second_after_its_successor_must_have_ended(self):
        self.assertEqual(TIMING.stale_after, 11)
