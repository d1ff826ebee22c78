"""Lengths of time and moments, as the page writes them."""

import unittest

from app.web.page_times import moment, span

NOON = 1795435200000  # 2026-11-23 12:00:00 UTC
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000


class SpanTest(unittest.TestCase):
    def test_it_has_at_most_two_units(self):
        for milliseconds, text in [
            (0, "0 s"),
            (999, "0 s"),
            (SECOND, "1 s"),
            (MINUTE - 1, "59 s"),
            (MINUTE, "1 min"),
            (3 * MINUTE + 5 * SECOND, "3 min 5 s"),
            (HOUR - 1, "59 min 59 s"),
            (HOUR, "1 h"),
            (HOUR + 59 * SECOND, "1 h"),
            (HOUR + MINUTE, "1 h 1 min"),
            (DAY - 1, "23 h 59 min"),
            (DAY, "1 d"),
            (400 * DAY + 3 * HOUR, "400 d 3 h"),
        ]:
            with self.subTest(milliseconds):
                self.assertEqual(span(milliseconds), text)

    def test_what_lies_ahead_is_now(self):
        """Clocks are set back."""
        self.assertEqual(span(-5 * SECOND), "0 s")


class MomentTest(unittest.TestCase):
    def test_each_form(self):
        at = NOON - 65 * SECOND - 7
        for form, text in [("age", "1 min 5 s"), ("ago", "1 min 5 s ago"), ("clock", "11:58:54")]:
            with self.subTest(form):
                self.assertEqual(moment(at, NOON, form), ("2026-11-23T11:58:54.993Z", "2026-11-23 11:58:54 UTC", text))

    def test_the_time_of_another_day_has_its_date(self):
        self.assertEqual(moment(NOON - 12 * HOUR, NOON, "clock").text, "00:00:00")
        self.assertEqual(moment(NOON - 12 * HOUR - 1, NOON, "clock").text, "2026-11-22 23:59:59")
