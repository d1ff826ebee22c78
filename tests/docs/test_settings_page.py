"""docs/settings.md and the README show the tables that `python -m app.settings` prints."""

import sys
import unittest

from app.settings.tables import dependency_table, table
from tests.docs.pages import PAGES, ROOT
from tests.docs.programs import run


class SettingsPageTest(unittest.TestCase):
    def test_the_tables_of_settings_and_options_are_generated(self):
        printed = run(sys.executable, "-m", "app.settings", cwd=ROOT).stdout
        self.assertEqual(printed, f"{table()}\n\n{dependency_table()}\n")
        for each in table(), dependency_table():
            self.assertIn(f"\n\n{each}\n\n", PAGES["docs/settings.md"].text)

    def test_every_row_of_the_short_table_in_the_readme_is_a_row_of_the_whole_table(self):
        rows = [line for line in PAGES["README.md"].section("Settings").splitlines() if line.startswith("| `")]
        self.assertTrue(rows)
        self.assertLessEqual(set(rows), set(table().splitlines()))
