"""One budget of time for several steps."""

import unittest

from app.net.deadline import Deadline
from tests.fakes import ScriptedClock


class DeadlineTest(unittest.TestCase):
    def setUp(self):
        self.clock = ScriptedClock()
        self.deadline = Deadline(6.0, self.clock)

    def test_steps_share_one_budget(self):
        self.clock.advance(2)
        self.assertEqual(self.deadline.remaining(), 4.0)
        self.assertFalse(self.deadline.passed())
        self.clock.advance(4)
        self.assertTrue(self.deadline.passed())
        with self.assertRaises(TimeoutError):
            self.deadline.remaining()

    def test_a_share_leaves_time_for_the_others(self):
        first = self.deadline.share(3)
        self.assertEqual(first.remaining(), 2.0)
        self.clock.advance(2)
        self.assertTrue(first.passed())
        self.assertEqual(self.deadline.share(2).remaining(), 2.0)

    def test_a_step_may_have_less_than_is_left_and_never_more(self):
        self.assertEqual(self.deadline.within(0.5).remaining(), 0.5)
        self.clock.advance(5.75)
        self.assertEqual(self.deadline.within(0.5).remaining(), 0.25)


if __name__ == "__main__":
    unittest.main()
