"""How diagnoses are shown: aligned, without secrets, bounded, and harmless to a terminal."""

import json
import re
import unittest

from app.doctor.advice import Advice
from app.doctor.examination import Diagnosis, State, Step
from app.doctor.output import TEXT_CHARACTERS, Output
from app.logs.redaction import Redactor

WELL = Diagnosis("ai_service", "http", (Step("name", State.OK, 3, "ai -> 10.0.0.7"),), None)
ILL = Diagnosis(
    "mongodb",
    "mongodb",
    (
        Step("name", State.OK, 3, "db -> 10.0.0.8"),
        Step("connect", State.FAILED, 1, "10.0.0.8:27017 connection refused"),
        Step("authenticate", State.SKIPPED, 0, ""),
    ),
    Advice("Nothing listens.", "Start it."),
)
TEXT = """\
ai_service (http)  ok
  name          ok          3 ms  ai -> 10.0.0.7

mongodb (mongodb)  failed
  name          ok          3 ms  db -> 10.0.0.8
  connect       failed      1 ms  10.0.0.8:27017 connection refused
  authenticate  skipped
  It means: Nothing listens.
  Do: Start it.

1 of 2 failed: mongodb"""


def saying(text):
    return Diagnosis("it", "http", (Step("speak", State.FAILED, 1, text),), Advice(f"It means {text}", f"Do {text}"))


class TextTest(unittest.TestCase):
    def test_each_has_a_paragraph_with_a_line_for_each_step_and_the_last_line_sums_up(self):
        self.assertEqual(Output(Redactor([])).text([WELL, ILL]), TEXT)
        self.assertTrue(Output(Redactor([])).text([WELL]).endswith("\n\n1 of 1 are well"))

    def test_colours_change_nothing_but_the_colour(self):
        coloured = Output(Redactor([]), coloured=True).text([WELL, ILL])
        self.assertEqual(re.sub("\033\\[[0-9;]*m", "", coloured), TEXT)
        self.assertIn("\033[1;31mfailed", coloured)

    def test_what_could_move_the_cursor_or_turn_the_text_is_escaped(self):
        text = Output(Redactor([])).text([saying("a\033[2Jb\r\nc\u202ed\u2028e")])
        self.assertIn(r"a\x1b[2Jb\r\nc\u202ed\u2028e", text)
        self.assertEqual(set(re.findall(r"[^ -~]", text)), {"\n"})

    def test_the_middle_of_a_long_text_is_cut_out(self):
        lines = Output(Redactor([])).text([saying("x" * 100_000)]).splitlines()
        self.assertIn("cut out of 100000 characters", lines[1])
        self.assertLess(max(map(len, lines)), TEXT_CHARACTERS + 50)

    def test_secrets_are_not_shown_wherever_they_stand_nor_is_a_part_of_one_at_a_cut(self):
        output = Output(Redactor(["hunter2", "correct horse"]))
        for text in ("hunter2", "http://someone:other@host/", "x" * 290 + "hunter2correct horse" * 50 + "x" * 290):
            shown = output.text([saying(text)]) + output.json([saying(text)], [])
            for part in ("hunter", "other", "correct", "horse"):
                self.assertNotIn(part, shown)


class JsonTest(unittest.TestCase):
    def test_dependencies_and_upstreams_are_lists_of_the_same_form(self):
        shown = json.loads(Output(Redactor([])).json([WELL], [ILL]))
        self.assertEqual(
            shown,
            {
                "ok": False,
                "dependencies": [
                    {
                        "name": "ai_service",
                        "kind": "http",
                        "ok": True,
                        "steps": [{"step": "name", "state": "ok", "ms": 3, "text": "ai -> 10.0.0.7"}],
                        "means": None,
                        "do": None,
                    }
                ],
                "upstreams": [
                    {
                        "name": "mongodb",
                        "kind": "mongodb",
                        "ok": False,
                        "steps": [
                            {"step": each.name, "state": each.state, "ms": each.ms, "text": each.text}
                            for each in ILL.steps
                        ],
                        "means": "Nothing listens.",
                        "do": "Start it.",
                    }
                ],
            },
        )
        self.assertIs(json.loads(Output(Redactor([])).json([WELL], []))["ok"], True)

    def test_it_is_one_line_of_ascii(self):
        self.assertRegex(Output(Redactor([])).json([saying("é\n\u202e")], []), r"\A[ -~]+\Z")


if __name__ == "__main__":
    unittest.main()
