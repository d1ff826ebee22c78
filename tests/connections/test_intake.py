import unittest

from wsproto.events import BytesMessage, TextMessage

from app.connections.intake import Intake, Violation
from tests.connections.fakes import ScriptedClock


def text(data, frame_finished=True, message_finished=True):
    return TextMessage(data, frame_finished, message_finished)


class TestIntake(unittest.TestCase):
    def setUp(self):
        self.clock = ScriptedClock()

    def test_a_message_is_whole_when_its_last_part_has_come(self):
        intake = Intake(100, None, self.clock)
        self.assertIsNone(intake.take(text("a", False, False)))
        self.assertIsNone(intake.take(text("b", True, False)))
        self.assertEqual(intake.take(text("c")), "abc")
        self.assertEqual(intake.take(BytesMessage(b"x")), b"x")

    def test_size_counts_in_bytes_and_over_all_parts(self):
        for parts, fits in [(["a" * 8], True), (["a" * 9], False), (["ä" * 4], True), (["ä" * 4, "a"], False)]:
            intake = Intake(8, None, self.clock)
            with self.subTest(parts=parts):
                if fits:
                    intake.take(text(parts[0]))
                    continue
                with self.assertRaises(Violation) as raised:
                    for part in parts:
                        intake.take(text(part, True, False))
                self.assertEqual(raised.exception.code, 1009)

    def test_each_message_has_the_whole_size_to_itself(self):
        intake = Intake(4, None, self.clock)
        self.assertEqual([intake.take(text("abcd")) for _ in range(3)], ["abcd"] * 3)

    def test_without_a_size_contents_are_thrown_away(self):
        intake = Intake(None, None, self.clock)
        self.assertIsNone(intake.take(text("a" * 10_000, True, False)))
        self.assertEqual(intake.take(text("b" * 10_000)), "")
        self.assertEqual(intake.take(BytesMessage(b"b" * 10_000)), b"")

    def test_frames_of_any_kind_are_bounded_in_a_second(self):
        intake = Intake(100, 3, self.clock)
        intake.count_frame()
        intake.take(text("a", False, False))
        intake.take(text("b"))
        intake.count_frame()
        with self.assertRaises(Violation) as raised:
            intake.take(text("c"))
        self.assertEqual(raised.exception.code, 1008)

    def test_the_next_second_starts_from_zero(self):
        intake = Intake(100, 3, self.clock)
        for _ in range(5):
            for _ in range(3):
                intake.count_frame()
            self.clock.advance(1)


if __name__ == "__main__":
    unittest.main()
