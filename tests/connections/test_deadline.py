import select
import socket
import unittest

from app.connections.deadline import Cancelled, Deadline, ready
from tests.connections.fakes import ScriptedClock


class TestDeadline(unittest.TestCase):
    def setUp(self):
        self.clock = ScriptedClock()

    def test_steps_share_one_budget(self):
        deadline = Deadline(5.0, clock=self.clock)
        self.clock.advance(2)
        self.assertEqual(deadline.remaining(), 3.0)
        self.clock.advance(3)
        with self.assertRaises(TimeoutError):
            deadline.remaining()

    def test_a_slice_is_short_and_never_longer_than_what_is_left(self):
        deadline = Deadline(5.0, clock=self.clock)
        self.assertEqual(deadline.slice(), 0.1)
        self.clock.advance(4.96)
        self.assertAlmostEqual(deadline.slice(), 0.04)

    def test_a_share_leaves_time_for_the_others(self):
        deadline = Deadline(6.0, clock=self.clock)
        first = deadline.share(3)
        self.assertEqual(first.remaining(), 2.0)
        self.clock.advance(2)
        with self.assertRaises(TimeoutError):
            first.remaining()
        self.assertEqual(deadline.share(2).remaining(), 2.0)

    def test_work_no_longer_wanted_is_cancelled_in_its_shares_too(self):
        cancelled = False
        deadline = Deadline(5.0, lambda: cancelled, self.clock)
        share = deadline.share(2)
        cancelled = True
        for each in (deadline, share):
            with self.assertRaises(Cancelled):
                each.slice()

    def test_waiting_for_a_descriptor_ends_when_it_is_ready_or_the_time_is_up(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self.assertFalse(ready(ours.fileno(), select.POLLIN, 0.001))
            with self.assertRaises(TimeoutError):
                Deadline(0.01).await_ready(ours.fileno(), select.POLLIN)
            theirs.send(b"x")
            Deadline(5).await_ready(ours.fileno(), select.POLLIN)
            self.assertTrue(ready(ours.fileno(), select.POLLIN, 0))


if __name__ == "__main__":
    unittest.main()
