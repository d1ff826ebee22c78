"""Moments, as the page writes them."""

import unittest

from app.page.times import Moment

NOON = 1795435200000  # 2026-11-23 12:00:00 UTC
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000


class MomentTest(unittest.TestCase):
    def test_a_moment_has_an_age_a_time_of_day_and_a_form_for_programs(self):
        moment = Moment(NOON - 65 * SECOND, NOON)
        self.assertEqual((moment.age, moment.ago, moment.clock), ("1 min 5 s", "1 min 5 s ago", "11:58:55"))
        self.assertEqual(moment.since, "11:58:55, for 1 min 5 s")
        self.assertEqual(moment.machine, "2026-11-23T11:58:55Z")
        self.assertEqual(moment.utc, "2026-11-23 11:58:55 UTC")
        self.assertEqual(Moment(NOON + 7, NOON).exact, "2026-11-23T12:00:00.007+00:00")

    def test_an_age_is_the_difference_of_the_two_times_of_day_beside_it(self):
        """From 11:59:54.999 to 12:00:00.000 the clocks show six seconds, although it is hardly more than five."""
        moment = Moment(NOON - 5 * SECOND - 1, NOON)
        self.assertEqual((moment.clock, moment.age), ("11:59:54", "6 s"))
        self.assertEqual(Moment(NOON, NOON + 999).age, "0 s")

    def test_the_time_of_another_day_has_its_date(self):
        self.assertEqual(Moment(NOON - 12 * HOUR, NOON).clock, "00:00:00")
        self.assertEqual(Moment(NOON - 12 * HOUR - 1, NOON).clock, "2026-11-22 23:59:59")
