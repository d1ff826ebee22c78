import math
import unittest

from app.serving.connection_table import FIRST_BYTE_SECONDS, ConnectionTable, Stage

LIMITS = {Stage.CLOSING: 2.0, Stage.NEW: 10.0, Stage.HEAD: 10.0, Stage.SENDING: 10.0, Stage.IDLE: 75.0}


class TestConnectionTable(unittest.TestCase):
    def setUp(self):
        self.table = ConnectionTable(LIMITS)

    def test_a_connection_is_in_one_stage_at_a_time(self):
        self.table.put("a", Stage.HEAD, 0)
        self.table.put("a", Stage.IDLE, 1)
        self.assertEqual((len(self.table), self.table.stage_of("a")), (1, Stage.IDLE))
        self.assertEqual((list(self.table.within(Stage.HEAD)), list(self.table.within(Stage.IDLE))), ([], ["a"]))

    def test_a_connection_that_is_taken_out_is_gone(self):
        self.table.put("a", Stage.HEAD, 0)
        self.assertTrue(self.table.take("a"))
        self.assertFalse(self.table.take("a"))
        self.assertEqual((len(self.table), self.table.stage_of("a"), self.table.ends_at()), (0, None, math.inf))

    def test_the_first_of_all_limits_is_the_next_end(self):
        self.table.put("idle", Stage.IDLE, 0)
        self.assertEqual(self.table.ends_at(), 75)
        self.table.put("head", Stage.HEAD, 60)
        self.assertEqual(self.table.ends_at(), 70)
        self.table.put("closing", Stage.CLOSING, 67)
        self.assertEqual(self.table.ends_at(), 69)

    def test_a_connection_is_overdue_at_the_limit_of_its_stage(self):
        self.table.put("first", Stage.HEAD, 0)
        self.table.put("second", Stage.HEAD, 5)
        self.table.put("idle", Stage.IDLE, 0)
        self.table.put("closing", Stage.CLOSING, 8)
        self.assertEqual(self.table.overdue(9.9), [])
        self.assertEqual(set(self.table.overdue(10)), {"first", "closing"})

    def test_entering_a_stage_anew_begins_its_time_anew(self):
        self.table.put("a", Stage.IDLE, 0)
        self.table.put("b", Stage.IDLE, 1)
        self.table.put("a", Stage.IDLE, 2)
        self.assertEqual(self.table.overdue(76), ["b"])
        self.assertEqual(self.table.ends_at(), 76)

    def test_an_end_ends_all_limits_that_are_later_but_no_answer(self):
        for stage in (Stage.IDLE, Stage.HEAD, Stage.SENDING):
            self.table.put(stage, stage, 9)
        self.table.end_by(11)
        self.assertEqual(self.table.ends_at(), 11)
        self.assertEqual(set(self.table.overdue(11)), {Stage.IDLE, Stage.HEAD})
        self.assertEqual(set(self.table.overdue(19)), {Stage.IDLE, Stage.HEAD, Stage.SENDING})

    def test_the_most_expendable_is_the_first_of_the_earliest_stage(self):
        self.assertIsNone(self.table.expendable(9))
        expected = []
        for number, stage in enumerate((Stage.IDLE, Stage.SENDING, Stage.HEAD, Stage.NEW, Stage.CLOSING)):
            for name in ("second", "first"):
                self.table.put((stage, name), stage, number)
            self.table.put((stage, "second"), stage, number + 0.5)
            expected = [(stage, "first"), (stage, "second"), *expected]
        while client := self.table.expendable(9):
            self.assertEqual(client, expected.pop(0))
            self.table.take(client)
        self.assertEqual(expected, [])

    def test_a_new_connection_is_spared_while_its_first_byte_may_be_on_its_way(self):
        self.table.put("new", Stage.NEW, 5)
        self.assertIsNone(self.table.expendable(5 + FIRST_BYTE_SECONDS / 2))
        for stage in (Stage.IDLE, Stage.HEAD, Stage.CLOSING):
            self.table.put(stage, stage, 5)
            self.assertEqual(self.table.expendable(5 + FIRST_BYTE_SECONDS / 2), stage)
        self.table.take(Stage.CLOSING)
        self.assertEqual(self.table.expendable(5 + FIRST_BYTE_SECONDS), "new")

    def test_a_stage_without_a_limit_is_left_alone(self):
        self.table.put("parked", Stage.PARKED, 0)
        self.table.end_by(1)
        self.assertEqual((self.table.ends_at(), self.table.overdue(9999)), (math.inf, []))
        self.assertIsNone(self.table.expendable(9))
        self.assertEqual((len(self.table), list(self.table.within(Stage.PARKED))), (1, ["parked"]))
