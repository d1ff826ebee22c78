"""Bounds on what a peer may send."""

import tracemalloc
import unittest

from wsproto.events import BytesMessage, TextMessage

from app.connections.ending import Ended
from app.connections.intake import Intake, Limits
from tests.fakes import ScriptedClock


def text(data, frame_finished=True, message_finished=True):
    return TextMessage(data, frame_finished, message_finished)


class IntakeCase(unittest.TestCase):
    def intake(self, frames=3, size=100, message=8, kept=4, patient=False):
        self.clock = ScriptedClock(100.0)
        return Intake(Limits(frames, size, message, kept, patient), self.clock)

    def assert_ends(self, code, call, *arguments):
        with self.assertRaises(Ended) as raised:
            call(*arguments)
        self.assertEqual(raised.exception.code, code)


class MessageTest(IntakeCase):
    def test_a_text_is_whole_when_its_last_part_has_come(self):
        intake = self.intake()
        self.assertIsNone(intake.take(text("a", False, False)))
        self.assertIsNone(intake.take(text("b", True, False)))
        self.assertEqual(intake.take(text("cd")), "abcd")
        self.assertEqual(intake.take(text("")), "")

    def test_binary_messages_and_long_ones_are_discarded_and_the_next_is_not(self):
        for parts in ([BytesMessage(b"a")], [text("abcde")], [text("ab", True, False), text("cde")]):
            intake = self.intake()
            self.assertEqual([intake.take(part) for part in parts], [None] * len(parts))
            self.assertEqual(intake.take(text("x")), "x")

    def test_size_counts_in_bytes_and_over_all_parts(self):
        for parts in ("a" * 9, "ä" * 4 + "a", "ä" * 5):
            intake = self.intake()
            for part in parts[:-1]:
                intake.take(text(part, True, False))
            with self.subTest(parts):
                self.assert_ends(1009, intake.take, text(parts[-1]))
        self.intake().take(text("ä" * 4))

    def test_empty_fragments_are_not_kept(self):
        intake = self.intake()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(10_000):
            intake.take(text("", True, False))
        self.assertLess(tracemalloc.get_traced_memory()[0] - before, 10_000)


class RateTest(IntakeCase):
    def test_frames_and_bytes_are_bounded_in_a_second(self):
        intake = self.intake()
        for _ in range(3):
            intake.count(1, 0)
        self.assert_ends(1008, intake.count, 1, 0)
        intake = self.intake()
        intake.count(0, 100)
        self.assert_ends(1008, intake.count, 0, 1)

    def test_the_next_second_starts_from_zero(self):
        intake = self.intake()
        for _ in range(5):
            intake.count(3, 100)
            self.clock.advance(1)

    def test_a_patient_intake_pauses_until_the_second_is_over(self):
        for used in ((3, 0), (0, 100), (9, 900)):
            intake = self.intake(patient=True)
            self.assertEqual(intake.pause(), 0)
            self.clock.advance(0.25)
            intake.count(*used)
            self.assertEqual(intake.pause(), 0.75)
            self.clock.advance(0.75)
            self.assertEqual(intake.pause(), 0)

    def test_an_impatient_intake_never_pauses(self):
        intake = self.intake()
        intake.count(3, 100)
        self.assertEqual(intake.pause(), 0)
