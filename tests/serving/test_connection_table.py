import unittest

from app.serving.connection_table import NEVER, ConnectionTable, Stage

LIMITS = {Stage.HEAD: 10.0, Stage.IDLE: 75.0, Stage.CLOSING: 2.0}


class TestConnectionTable(unittest.TestCase):
    def setUp(self):
        self.table = ConnectionTable(LIMITS)

    def test_a_connection_is_in_one_stage_at_a_time(self):
        self.table.put("a", Stage.HEAD, 0)
        self.table.put("a", Stage.IDLE, 1)
        self.assertEqual((1, Stage.IDLE), (len(self.table), self.table.stage_of("a")))

    def test_what_is_taken_out_is_gone(self):
        self.table.put("a", Stage.HEAD, 0)
        self.assertTrue(self.table.take("a"))
        self.assertFalse(self.table.take("a"))
        self.assertEqual((0, None, NEVER), (len(self.table), self.table.stage_of("a"), self.table.ends_at()))

    def test_the_first_of_all_limits_is_the_next_end(self):
        self.table.put("idle", Stage.IDLE, 0)
        self.assertEqual(75, self.table.ends_at())
        self.table.put("head", Stage.HEAD, 60)
        self.assertEqual(70, self.table.ends_at())
        self.table.put("closing", Stage.CLOSING, 67)
        self.assertEqual(69, self.table.ends_at())

    def test_overdue_is_who_has_reached_the_limit_of_its_stage(self):
        self.table.put("first", Stage.HEAD, 0)
        self.table.put("second", Stage.HEAD, 5)
        self.table.put("idle", Stage.IDLE, 0)
        self.table.put("closing", Stage.CLOSING, 8)
        self.assertEqual([], self.table.overdue(9.9))
        self.assertEqual(["first", "closing"], self.table.overdue(10))

    def test_entering_a_stage_anew_begins_its_time_anew(self):
        self.table.put("a", Stage.IDLE, 0)
        self.table.put("b", Stage.IDLE, 1)
        self.table.put("a", Stage.IDLE, 2)
        self.assertEqual(["b"], self.table.overdue(76))
        self.assertEqual(76, self.table.ends_at())

    def test_an_end_ends_all_limits_that_are_later(self):
        self.table.put("idle", Stage.IDLE, 0)
        self.table.put("head", Stage.HEAD, 0)
        self.table.end_by(11)
        self.assertEqual(10, self.table.ends_at())
        self.assertEqual(["head"], self.table.overdue(10))
        self.assertEqual({"head", "idle"}, set(self.table.overdue(11)))

    def test_one_that_is_closing_can_best_be_done_without_else_the_one_that_waits_longest(self):
        self.assertIsNone(self.table.longest())
        self.table.put("idle", Stage.IDLE, 3)
        self.table.put("head", Stage.HEAD, 2)
        self.assertEqual("head", self.table.longest())
        self.table.put("head", Stage.HEAD, 4)
        self.assertEqual("idle", self.table.longest())
        self.table.put("closing", Stage.CLOSING, 9)
        self.assertEqual("closing", self.table.longest())
