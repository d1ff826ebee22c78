"""Cutting text that is too long, without leaving a part of a secret at the cut."""

import re
import unittest

from app.logs.redaction import Redactor

ROOM = 200


class CutTest(unittest.TestCase):
    """All that is secret here is in capitals."""

    SECRETS = ("SECRET-ABCDEFGHIJKL", "SECRET", "x://A@BCDEFGH")

    def fit(self, text, secrets=SECRETS, room=ROOM):
        [fitted] = Redactor(secrets).fit([text], room, len)
        return fitted

    def assert_nothing_leaks(self, secret, before="", behind=""):
        for offset in range(600):
            text = before + "." * offset + secret + "." * (600 - offset) + behind
            with self.subTest(offset):
                fitted = self.fit(text)
                self.assertNotRegex(fitted, "[A-Z]")
                self.assertLessEqual(len(fitted), ROOM)
                self.assertIn(f"[... cut out of {len(text)} characters ...]", fitted)

    def test_no_part_of_a_secret_is_left_wherever_the_cut_is(self):
        for secret in self.SECRETS:
            self.assert_nothing_leaks(secret)
            self.assert_nothing_leaks(secret * 3)

    def test_no_part_of_a_secret_moves_into_the_line_where_others_have_been_removed(self):
        for secret in self.SECRETS:
            self.assert_nothing_leaks(secret, before=self.SECRETS[0] * 30, behind=self.SECRETS[0] * 30)

    def test_no_part_of_unknown_userinfo_is_left_wherever_the_cut_is(self):
        for userinfo in ("USER:PASSWORD@", "A@", "TOKEN" * 50 + "@", "A@B@C@"):
            self.assert_nothing_leaks(f"http://{userinfo}host/path")

    def test_no_part_of_userinfo_is_left_where_no_secret_is_known(self):
        for offset in range(300):
            text = "." * offset + "http://USER:PASSWORD@host" + "." * 300
            with self.subTest(offset):
                self.assertNotRegex(self.fit(text, secrets=()), "[A-Z]")

    def test_what_fits_is_not_cut(self):
        self.assertEqual(self.fit("." * ROOM), "." * ROOM)

    def test_beginning_and_end_are_kept(self):
        fitted = self.fit("begin" + "." * 1000 + "end")
        self.assertRegex(fitted, r"\Abegin\.{50,} \[\.\.\. cut out of 1008 characters \.\.\.\] \.{50,}end\Z")

    def test_texts_share_the_room_and_what_one_leaves_is_for_the_next(self):
        fitted = Redactor(()).fit(["a" * 1000, "b", "c" * 1000], ROOM, len)
        self.assertEqual([bool(re.search("cut out of", text)) for text in fitted], [True, False, True])
        self.assertTrue(ROOM - 10 <= sum(map(len, fitted)) <= ROOM, fitted)
        self.assertGreater(len(fitted[2]), ROOM // 2 - 10)

    def test_there_is_never_more_than_the_room_for_however_many_texts(self):
        for room in (0, 1, 30, 100):
            with self.subTest(room):
                self.assertLessEqual(len("".join(Redactor(()).fit(["a" * 1000] * 50, room, len))), room)

    def test_the_work_grows_with_the_room_and_not_with_the_text(self):
        def measured(length):
            seen = []
            Redactor(self.SECRETS).fit(["x" * length], ROOM, lambda text: seen.append(len(text)) or len(text))
            return sum(seen)

        self.assertEqual(measured(100_000), measured(900_000))
