"""The README shows what the service really returns and accepts."""

import re
import unittest
from pathlib import Path

from app import settings
from app.health.report import Identity, Report
from app.net.reason import Reason
from tests.fakes import new_record, outcome

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def report(ai_service):
    records = [
        new_record("ai_service", 0).after_check(1, 2, outcome(ai_service, 1.0)),
        new_record("mongodb", 0).after_check(1, 2, outcome(None, 1.0)),
    ]
    return Report(Identity("server", "1.0.0"), tuple(records))


class ReadmeTest(unittest.TestCase):
    def test_the_examples_of_health_are_real_responses(self):
        examples = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
        answers = [report(reason).health_json(1795464000000).decode() for reason in (None, Reason.REFUSED)]
        self.assertEqual(examples, answers)

    def test_the_tables_of_settings_and_options_are_generated_from_the_settings(self):
        for table in settings.table(), settings.dependency_table():
            self.assertIn(f"\n\n{table}\n\n", README)

    def test_every_reason_is_listed(self):
        missing = [reason for reason in Reason if f"`{reason}`" not in README]
        self.assertEqual(missing, [])

    def test_every_command_and_file_that_is_mentioned_exists(self):
        root = Path(__file__).parent.parent
        for name in set(re.findall(r"(?:bin|docs|tests|app)/[\w./-]*\w", README)):
            with self.subTest(name):
                self.assertTrue((root / name).exists())
