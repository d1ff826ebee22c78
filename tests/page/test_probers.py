"""Who asks, as rows of a table."""

import unittest

from app.page.probers import probers
from tests.page.stage import prober

NOW = 1795435200000


def row(**facts):
    return probers([prober(**facts)], NOW).shown[0]


class ProbersTest(unittest.TestCase):
    def test_a_row_says_what_asks_from_where_for_what_how_often_and_when_last(self):
        one = row(last_seen=NOW - 3000, first_seen=NOW - 120_000, count=7)
        self.assertEqual(one[:5], ("kubelet", "kube-probe/1.31", "10.42.0.1", "/health/live", "every 10 s"))
        self.assertEqual((one.requests, one.first.age), (7, "2 min"))
        self.assertEqual((one.seen.ago, one.status, one.gave_up), ("3 s ago", "200", ""))

    def test_what_is_not_known_is_left_empty(self):
        one = row(product=None, period_ms=None, last_status=None, abandoned=None)
        self.assertEqual((one.product, one.period, one.status, one.gave_up), ("", "", "", ""))

    def test_a_period_is_rounded(self):
        for period, text in [
            (0.4, "every 0 ms"),
            (250, "every 250 ms"),
            (2500, "every 2.5 s"),
            (5001, "every 5 s"),
            (9949, "every 9.9 s"),
            (9990, "every 10 s"),
            (59_700, "every 1 min"),
        ]:
            with self.subTest(period):
                self.assertEqual(row(period_ms=period).period, text)

    def test_how_often_and_after_what_time_a_prober_gave_up(self):
        self.assertEqual(row(abandoned=1, abandoned_after_ms=1003).gave_up, "once, after 1 s")
        self.assertEqual(row(abandoned=3, abandoned_after_ms=None).gave_up, "3 times")

    def test_probers_that_give_up_come_first_and_then_the_busiest(self):
        facts = [
            prober(0, count=5),
            prober(1, count=9),
            prober(2, count=1, abandoned=1),
            prober(3, abandoned=None, count=7),
        ]
        self.assertEqual([each.address for each in probers(facts, NOW).shown], [f"10.42.0.{n}" for n in (3, 2, 4, 1)])

    def test_ten_rows_are_shown_and_the_others_counted(self):
        found = probers([prober(n) for n in range(64)], NOW)
        self.assertEqual((len(found.shown), found.more), (10, 54))
        self.assertEqual(probers([], NOW), ([], 0))
