"""How often one kind of line is logged, and what the summary says."""

import logging
import unittest

from app.logs.rate_limit import MOST, MOST_KINDS, SECONDS, RateLimit, kind_of


def record(logger, message, *values, level=logging.WARNING):
    return logging.LogRecord(logger, level, __file__, 1, message, values, None)


class RateLimitTest(unittest.TestCase):
    def setUp(self):
        self.now = 1000.0
        self.limit = RateLimit(lambda: self.now)

    def admitted(self, count, *arguments, **options):
        return sum(self.limit.admits(record(*arguments, **options)) for _ in range(count))

    def summaries(self):
        return [(each.name, each.levelno, each.getMessage()) for each in self.limit.sum_up()]

    def test_ten_of_a_kind_are_admitted_in_a_minute_and_the_others_summed_up(self):
        self.assertEqual(self.admitted(25, "app.web.x", "panic: %s", "a", level=logging.ERROR), MOST)
        self.assertEqual(
            self.summaries(), [("app.web.x", logging.ERROR, '15 more like "panic: ..." in the last minute')]
        )

    def test_the_minute_begins_with_the_first_line_and_ends_with_the_summary(self):
        self.now += 500
        self.assertEqual(self.limit.remaining(), SECONDS)
        self.admitted(MOST + 1, "app.web", "x")
        self.now += 59
        self.assertEqual(self.limit.remaining(), 1)
        self.assertEqual(self.admitted(1, "app.web", "x"), 0)
        self.now += 1
        self.assertEqual(self.limit.remaining(), 0)
        self.assertEqual(self.summaries(), [("app.web", logging.WARNING, '2 more like "x" in the last minute')])
        self.assertEqual(self.limit.remaining(), SECONDS)
        self.assertEqual(self.admitted(MOST + 1, "app.web", "x"), MOST)

    def test_a_minute_with_fewer_lines_has_no_summary(self):
        self.admitted(MOST, "app.web", "x")
        self.assertEqual(self.summaries(), [])

    def test_kinds_are_counted_apart(self):
        for values in (("app.web", "a %s"), ("app.web", "b %s"), ("app.web.feed", "a %s")):
            self.assertEqual(self.admitted(MOST + 1, *values, 1), MOST)
        self.assertEqual(self.admitted(MOST + 1, "app.web", "a %s", 1, level=logging.INFO), MOST)
        self.assertEqual(len(self.summaries()), 4)

    def test_different_values_are_of_one_kind(self):
        self.assertEqual(sum(self.limit.admits(record("app.web", "%s", n)) for n in range(99)), MOST)

    def test_what_gunicorn_reports_of_requests_is_limited_whatever_it_quotes(self):
        """As gunicorn does it: the request is in the template."""
        for n in range(30):
            self.limit.admits(record("gunicorn.error", f"Invalid request from ip=10.0.0.{n}: %s %d" + "x" * n))
        self.assertEqual(
            self.summaries(),
            [("gunicorn.error", logging.WARNING, '20 more like "Invalid request from ..." in the last minute')],
        )

    def test_changes_of_state_settings_starts_and_stops_are_never_limited(self):
        for logger, message in (
            ("app.health.state_log", "%s disconnected: %s"),
            ("app.connections.upstream", "upstream %s lost"),
            ("app.wsgi", "settings: %s"),
            ("app.runtime", "stopped"),
            ("app.website", "of another package"),
            ("gunicorn.error", "Worker (pid:%s) exited with code %s."),
            ("gunicorn.error", "Booting worker with pid: %s"),
        ):
            with self.subTest(message):
                self.assertEqual(self.admitted(99, logger, message), 99)
        self.assertEqual(self.summaries(), [])

    def test_what_strangers_can_provoke_is_limited(self):
        for logger in (
            "app.connections.client",
            "app.connections.websocket",
            "app.web.error_handlers",
            "app.web.panic_guard",
            "app.serving.probe_worker",
            "urllib3.connectionpool",
            "gunicorn.http.wsgi",
        ):
            with self.subTest(logger):
                self.assertIsNotNone(kind_of(record(logger, "x")))

    def test_templates_that_are_not_constant_do_not_grow_memory_without_end(self):
        for n in range(MOST_KINDS + 500):
            self.limit.admits(record("app.web", f"{n} {'x' * 10_000}"))
        self.assertEqual(
            self.summaries(), [("app.web", logging.WARNING, f'{500 - MOST} more like "..." in the last minute')]
        )
        self.assertLess(len(kind_of(record("app.web", "x" * 10_000)).template), 1000)
