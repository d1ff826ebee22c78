"""How long to wait before the next attempt."""

import unittest

from app.connections.backoff import Backoff


class TestBackoff(unittest.TestCase):
    def test_attempt_n_waits_n_times_the_base_and_at_most_a_fifth_more(self):
        backoff = Backoff(base=2.0, max_attempts=5, cooldown=300.0)
        for failures, jitter, seconds in [
            (0, 0.0, 0.0),
            (0, 0.999, 0.0),
            (1, 0.0, 2.0),
            (1, 0.5, 2.2),
            (2, 0.0, 4.0),
            (3, 0.0, 6.0),
            (4, 0.0, 8.0),
            (4, 1.0, 9.6),
            (5, 0.0, 300.0),
            (5, 1.0, 360.0),
            (6, 0.0, 300.0),
        ]:
            with self.subTest(failures=failures, jitter=jitter):
                self.assertAlmostEqual(backoff.delay(failures, jitter), seconds)

    def test_without_a_cooldown_the_wait_after_the_last_attempt_has_no_end(self):
        backoff = Backoff(cooldown=0)
        self.assertEqual(backoff.delay(4, 0.0), 4.0)
        self.assertIsNone(backoff.delay(5, 0.0))

    def test_attempts_are_used_up_after_the_maximum(self):
        backoff = Backoff(max_attempts=3)
        self.assertEqual([backoff.exhausted(failures) for failures in range(5)], [False, False, False, True, True])

    def test_a_connection_has_settled_after_ten_times_the_base(self):
        backoff = Backoff(base=0.5)
        self.assertEqual([backoff.settled(held) for held in (0, 4.99, 5.0, 60)], [False, False, True, True])
