"""Counts by key."""

import threading
import unittest

from app.tally import Tally


class TallyTest(unittest.TestCase):
    def test_each_key_is_counted_from_zero(self):
        tally = Tally(["success", "failure"])
        tally.count("failure")
        self.assertEqual(tally.snapshot(), {"success": 0, "failure": 1})

    def test_a_key_that_was_not_given_is_an_error(self):
        tally = Tally(["success"])
        with self.assertRaises(KeyError):
            tally.count("succes")
        self.assertEqual(tally.snapshot(), {"success": 0})

    def test_a_snapshot_is_a_copy(self):
        tally = Tally(["a"])
        tally.snapshot()["a"] = 7
        self.assertEqual(tally.snapshot(), {"a": 0})

    def test_counts_from_many_threads_are_not_lost(self):
        tally = Tally(["a"])
        threads = [threading.Thread(target=lambda: [tally.count("a") for _ in range(1000)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(tally.snapshot(), {"a": 8000})


if __name__ == "__main__":
    unittest.main()
