"""Charts and periods, as tables: history and changes in, paths out."""

import unittest

from app.health.record import Change, CheckEntry
from app.page.charts import WINDOW_MS, chart, periods, window

NOW = 1795435200000
UP, DOWN = "connected", "disconnected"


def history(*checks):
    return [CheckEntry(0, status, latency) for status, latency in checks]


def known(*pairs):
    return periods([Change(NOW - ago, status, None) for ago, status in pairs], NOW)


def checks(*entries):
    return chart(history(*entries), [], NOW - 1000, NOW)


def strip(*pairs, begin=NOW - 1000):
    return chart([], known(*pairs), begin, NOW)


class PeriodsTest(unittest.TestCase):
    def test_a_period_lasts_until_the_next_change_and_the_last_one_until_now(self):
        self.assertEqual(known((1000, UP), (250, DOWN)), [(NOW - 1000, NOW - 250, True), (NOW - 250, NOW, False)])

    def test_a_change_of_reason_alone_does_not_begin_another_period(self):
        self.assertEqual(known((1000, DOWN), (500, DOWN)), [(NOW - 1000, NOW, False)])

    def test_before_the_first_check_nothing_is_known(self):
        self.assertEqual(known(), [])

    def test_a_period_is_never_shorter_than_nothing_after_the_clock_was_set_back(self):
        self.assertEqual(
            known((1000, UP), (-500, DOWN)), [(NOW - 1000, NOW + 500, True), (NOW + 500, NOW + 500, False)]
        )

    def test_the_window_is_the_life_of_the_process_and_at_most_a_day(self):
        self.assertEqual(window(NOW - 1000, NOW), NOW - 1000)
        self.assertEqual(window(NOW - 2 * WINDOW_MS, NOW), NOW - WINDOW_MS)


class ChecksTest(unittest.TestCase):
    def test_without_a_check_nothing_is_drawn(self):
        self.assertEqual(checks(), ("", "", ""))

    def test_the_slowest_check_is_at_the_top_and_the_newest_at_the_right(self):
        self.assertEqual(checks((UP, 1), (UP, 4), (UP, 2)).line, "m285 18l5-18l5 12")

    def test_a_failed_check_is_a_gap_in_the_line_and_a_bar(self):
        drawn = checks((UP, 2), (UP, 1), (DOWN, 5000), (UP, 1), (UP, 2))
        self.assertEqual((drawn.line, drawn.down), ("m275 0l5 12m10 0l5-12", "M282 12h5"))

    def test_one_check_between_two_failures_is_the_space_between_their_bars(self):
        drawn = checks((UP, 1), (DOWN, 5000), (DOWN, 5000), (UP, 2))
        self.assertEqual((drawn.line, drawn.down), ("", "M282 12h10"))

    def test_checks_that_all_failed_or_took_no_time_are_drawn_without_dividing_by_zero(self):
        self.assertEqual(checks((DOWN, 0)), ("", "", "M292 12h5"))
        self.assertEqual(checks((UP, 0), (UP, 0)).line, "m290 24l5 0")

    def test_a_bar_does_not_begin_left_of_the_chart(self):
        self.assertEqual(checks(*60 * [(DOWN, 1)]).down, "M0 12h297")


class StripTest(unittest.TestCase):
    def test_what_is_known_is_a_line_and_an_outage_a_bar_over_it(self):
        drawn = strip((1000, UP), (500, DOWN), (250, UP))
        self.assertEqual((drawn.up, drawn.down), ("M340 12H1000", "M670 12h165"))

    def test_the_time_before_the_first_check_is_left_blank(self):
        self.assertEqual(strip((500, UP)).up, "M670 12H1000")

    def test_a_second_bar_is_placed_from_the_end_of_the_first(self):
        self.assertEqual(strip((1000, DOWN), (800, UP), (500, DOWN), (400, UP)).down, "M340 12h132m198 0h66")

    def test_an_outage_that_ended_before_the_window_is_left_out(self):
        self.assertEqual(strip((3000, DOWN), (2000, UP), (500, DOWN)), ("", "M340 12H1000", "M670 12h330"))

    def test_an_outage_that_began_before_the_window_is_cut(self):
        self.assertEqual(strip((3000, DOWN)).down, "M340 12h660")

    def test_a_short_outage_is_wide_enough_to_be_seen_even_at_the_right_edge(self):
        self.assertEqual(strip((1000, UP), (1, DOWN)).down, "M996 12h4")

    def test_outages_too_close_to_be_told_apart_are_one_bar(self):
        self.assertEqual(strip((1000, UP), (500, DOWN), (499, UP), (498, DOWN), (497, UP)).down, "M670 12h5")

    def test_the_first_millisecond_is_drawn_without_dividing_by_zero(self):
        self.assertEqual(strip((0, DOWN), begin=NOW), ("", "M340 12H1000", "M340 12h4"))
