"""What the page shows of one dependency."""

import unittest

from app.checks.check import Outcome
from app.health.timing import Timing
from app.net.reason import Reason
from app.page.dependencies import plain_words, shown
from tests.fakes import new_record, outcome

NOW = 1795435200000  # 2026-11-23 12:00:00 UTC
DAY = 24 * 60 * 60 * 1000


def record(*results, **options):
    """A result is (milliseconds ago, reason) or (milliseconds ago, reason, latency); `options` are the dependency's."""
    known = new_record("mongodb", NOW - 100_000, **options)
    for ago, *result in results:
        known = known.after_check(NOW - ago, NOW - ago, outcome(*result))
    return known


def one(*results, **options):
    return shown(record(*results, **options), NOW - 100_000, NOW, 8)


class WordsTest(unittest.TestCase):
    def test_every_reason_has_plain_words_of_its_own(self):
        quick = new_record(timing=Timing(timeout=0.5))
        words = [plain_words(quick, reason) for reason in (None, *Reason)]
        self.assertEqual(len(set(words)), len(Reason) + 1)
        self.assertEqual(plain_words(quick, Reason.TIMEOUT), "no answer within 0.5 s")

    def test_the_detail_is_left_out_where_the_reason_says_the_same(self):
        for reason, detail, text in [
            (Reason.HTTP_STATUS, "answered 503", "answered 503"),
            (Reason.DNS, "the name server did not answer", "the name server did not answer"),
            (Reason.REFUSED, "connection refused", ""),
            (Reason.TIMEOUT, "no answer within 5 s", ""),
            (Reason.TIMEOUT, "no answer in time", ""),
        ]:
            with self.subTest(detail):
                failed = new_record().after_check(NOW, NOW, outcome(reason, 1, detail))
                self.assertEqual(shown(failed, NOW, NOW, 8).detail, text)
        self.assertEqual(shown(new_record(), NOW, NOW, 8).detail, "")
        self.assertEqual(shown(record((9000, None)).gone_stale(NOW), NOW, NOW, 8).detail, "")

    def test_what_a_reason_means_is_shown_while_the_dependency_is_disconnected(self):
        self.assertIsNone(one((9000, None)).meaning)
        self.assertIn("nothing listens", one((9000, Reason.REFUSED)).meaning.means)

    def test_latency_is_rounded_to_the_digits_that_matter(self):
        for latency, text in [
            (0.0, "under 0.1 ms"),
            (0.049, "under 0.1 ms"),
            (0.05, "0.1 ms"),
            (0.26, "0.3 ms"),
            (9.94, "9.9 ms"),
            (10.4, "10 ms"),
            (10.6, "11 ms"),
            (4999.6, "5000 ms"),
        ]:
            with self.subTest(latency):
                self.assertEqual(one((1000, None, latency)).latency, text)

    def test_before_the_first_check_nothing_is_known(self):
        pending = one()
        self.assertEqual((pending.reason, pending.detail, pending.latency), ("not checked yet", "", ""))
        self.assertEqual((pending.checks, pending.share, pending.availability), ("no check has ended yet", "", ""))
        self.assertIsNone(pending.last_success)

    def test_the_last_checks_are_summed_up_in_words(self):
        for results, text in [
            ([(1, None, 2)], "1 check, 2.0 ms"),
            ([(3, None, 2), (2, Reason.TLS, 9), (1, None, 12)], "3 checks, 2.0 ms to 12 ms, 1 failed"),
            ([(2, Reason.TLS, 9), (1, Reason.TLS, 9)], "2 checks, none succeeded"),
        ]:
            with self.subTest(text):
                self.assertEqual(one(*results).checks, text)


class AvailabilityTest(unittest.TestCase):
    def test_the_share_of_time_connected_is_that_since_the_start(self):
        for results, text in [
            ([(9000, None)], "connected 100 % of the time since the start"),
            ([(9000, Reason.TLS)], "connected 0 % of the time since the start"),
            ([(10_000, None), (5000, Reason.TLS)], "connected 50.0 % of the time since the start"),
            (
                [(100_000, None), (9000, Reason.TLS), (8000, None)],
                "connected 99.0 % of the time since the start, disconnected once, for 1 s",
            ),
            (
                [(10_000, Reason.TLS), (8000, None), (5000, Reason.TLS), (2000, None)],
                "connected 50.0 % of the time since the start, disconnected 2 times, for 5 s in total",
            ),
        ]:
            with self.subTest(text):
                dependency = one(*results)
                self.assertEqual(dependency.availability, text)
                self.assertIn(f"connected {dependency.share} of the time", text)

    def test_the_present_outage_is_not_counted_because_the_clock_beside_it_shows_it(self):
        dependency = one((10_000, None), (9000, Reason.TLS), (8000, None), (4000, Reason.TLS))
        self.assertEqual(
            dependency.availability, "connected 50.0 % of the time since the start, disconnected once before, for 1 s"
        )
        self.assertEqual(dependency.since.since, "11:59:56, for 4 s")

    def test_a_total_counts_whole_seconds_as_the_clocks_of_the_changes_do(self):
        """From 11:59:51.999 to 11:59:53.001 the clocks show two seconds."""
        text = one((10_000, None), (8001, Reason.TLS), (6999, None)).availability
        self.assertTrue(text.endswith("disconnected once, for 2 s"), text)

    def test_no_outage_is_rounded_away(self):
        self.assertIn(" 99.9 % ", one((10 * DAY, None), (9000, Reason.TLS), (8000, None)).availability)
        self.assertIn(" 0.1 % ", one((10 * DAY, Reason.TLS), (1, None)).availability)

    def test_where_the_changes_no_longer_reach_back_to_the_start_the_time_that_they_cover_is_named(self):
        flapping = one(*((1000 * k, Reason.TLS if k % 2 else None) for k in range(60, 0, -1)))
        self.assertIn(
            "connected 50.0 % of the time in the last 50 s, disconnected 24 times before", flapping.availability
        )
        self.assertEqual(flapping.share, "")


class ChangesTest(unittest.TestCase):
    def test_the_first_state_is_not_a_change(self):
        for reason in (None, Reason.TLS):
            self.assertEqual(one((9000, reason)).changes, [])

    def test_the_newest_change_is_listed_first(self):
        changed = one((9000, None), (5000, Reason.TLS), (4000, None))
        self.assertEqual(
            [(change.at.clock, change.status, change.reason) for change in changed.changes],
            [("11:59:56", "connected", ""), ("11:59:55", "disconnected", "TLS handshake failed")],
        )
        self.assertEqual(changed.changes_text, "2 changes")

    def test_at_most_as_many_changes_are_listed_as_asked_for(self):
        flapping = record(*((20_000 - 1000 * k, Reason.TLS if k % 2 else None) for k in range(12)))
        for most, text in ((8, "last 8 of 11 changes"), (11, "11 changes")):
            dependency = shown(flapping, NOW, NOW, most)
            self.assertEqual((len(dependency.changes), dependency.changes_text), (most, text))
        self.assertEqual(shown(flapping, NOW, NOW, 0).changes, [])


class NotesTest(unittest.TestCase):
    def test_doubt_is_noted_with_the_threshold(self):
        for results, note in [
            ([(9000, None)], []),
            ([(9000, None), (1000, Reason.TLS)], ["in doubt: 1 of 3 failed checks in a row"]),
            ([(9000, Reason.TLS), (1000, None)], ["in doubt: 1 of 2 successful checks in a row"]),
        ]:
            with self.subTest(note):
                self.assertEqual(one(*results, failures=3, successes=2).notes, note)

    def test_a_result_that_became_stale_casts_no_doubt(self):
        stale = record((9000, None)).gone_stale(NOW)
        self.assertTrue(stale.in_doubt)
        self.assertEqual(shown(stale, NOW, NOW, 8).notes, [])

    def test_a_certificate_is_noted_two_weeks_before_it_expires_and_from_then_on(self):
        for left, note in [
            (14 * DAY, []),
            (14 * DAY - 1, ["certificate expires in 13 d 23 h, on 2026-12-07 11:59:59 UTC"]),
            (-3 * DAY, ["certificate expired 3 d ago, on 2026-11-20 12:00:00 UTC"]),
        ]:
            with self.subTest(left):
                checked = new_record().after_check(NOW, NOW, Outcome(None, 0.001, certificate_expires_at=NOW + left))
                self.assertEqual(shown(checked, NOW, NOW, 8).notes, note)
