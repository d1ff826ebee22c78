"""Counts by key."""

import threading
import unittest

from app.tally import Tally


class TallyTest(unittest.TestCase):
    def test_keys_given_at_the_start_count_from_zero(self):
        tally = Tally(["success", "failure"])
        tally.count("failure")
        tally.count("other")
        self.assertEqual(tally.snapshot(), {"success": 0, "failure": 1, "other": 1})

    def test_a_snapshot_is_a_copy(self):
        tally = Tally(["a"])
        tally.snapshot()["a"] = 7
        self.assertEqual(tally.snapshot(), {"a": 0})

    def test_counts_from_many_threads_are_not_lost(self):
        tally = Tally()
        threads = [threading.Thread(target=lambda: [tally.count("a") for _ in range(1000)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(tally.snapshot(), {"a": 8000})


if __name__ == "__main__":
    unittest.main()
