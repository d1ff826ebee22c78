"""Sparkline and timeline, as tables: history and changes in, paths out."""

import unittest

from app.health.record import Change, CheckEntry
from app.page.charts import WINDOW_MS, sparkline, timeline

NOW = 1795435200000
UP, DOWN = "connected", "disconnected"


def history(*checks):
    return [CheckEntry(0, status, latency) for status, latency in checks]


def changes(*pairs):
    return [Change(NOW - ago, status, None) for ago, status in pairs]


class SparklineTest(unittest.TestCase):
    def test_an_empty_history_gives_empty_paths(self):
        self.assertEqual(sparkline([]), ("", ""))

    def test_the_slowest_check_is_at_the_top_and_the_newest_at_the_right(self):
        self.assertEqual(sparkline(history((UP, 1), (UP, 4), (UP, 2))).line, "M57 75h0L58 0L59 50")

    def test_a_failed_check_is_a_gap_and_a_mark(self):
        drawn = sparkline(history((UP, 1), (DOWN, 5000), (UP, 2)))
        self.assertEqual(drawn, ("M57 50h0M59 0h0", "M58 0V100"))

    def test_checks_that_all_failed_or_took_no_time_are_drawn_without_dividing_by_zero(self):
        self.assertEqual(sparkline(history((DOWN, 0))), ("", "M59 0V100"))
        self.assertEqual(sparkline(history((UP, 0))), ("M59 100h0", ""))


class TimelineTest(unittest.TestCase):
    def test_no_changes_give_empty_paths(self):
        self.assertEqual(timeline([], NOW), ("", "", NOW, 0, 0))

    def test_periods_lie_between_changes(self):
        strip = timeline(changes((1000, UP), (500, DOWN), (250, UP)), NOW)
        self.assertEqual(strip.up, "M0 5H500V11H0zM750 5H1000V11H750z")
        self.assertEqual(strip.down, "M500 0H750V16H500z")
        self.assertEqual((strip.since, strip.downs, strip.down_ms), (NOW - 1000, 1, 250))

    def test_a_change_of_reason_alone_does_not_begin_another_outage(self):
        strip = timeline(changes((1000, DOWN), (500, DOWN)), NOW)
        self.assertEqual((strip.downs, strip.down_ms), (1, 1000))

    def test_a_timeline_covers_at_most_a_day(self):
        strip = timeline(changes((3 * WINDOW_MS, DOWN), (2 * WINDOW_MS, UP), (WINDOW_MS // 2, DOWN)), NOW)
        self.assertEqual((strip.up, strip.down), ("M0 5H500V11H0z", "M500 0H1000V16H500z"))
        self.assertEqual((strip.since, strip.downs, strip.down_ms), (NOW - WINDOW_MS, 1, WINDOW_MS // 2))

    def test_an_outage_older_than_a_day_fills_the_timeline(self):
        self.assertEqual(timeline(changes((3 * WINDOW_MS, DOWN)), NOW).down, "M0 0H1000V16H0z")

    def test_a_short_outage_is_wide_enough_to_be_seen_even_at_the_right_edge(self):
        strip = timeline(changes((WINDOW_MS, UP), (1000, DOWN), (500, UP)), NOW)
        self.assertEqual(strip.down, "M996 0H1000V16H996z")

    def test_the_first_millisecond_is_drawn_without_dividing_by_zero(self):
        self.assertEqual(timeline(changes((0, DOWN)), NOW).down, "M0 0H4V16H0z")
