"""The changelog describes the current version."""

import re
import unittest

from app import __version__
from tests.docs.pages import ROOT


class ChangelogTest(unittest.TestCase):
    def test_the_newest_version_in_the_changelog_is_that_of_the_program(self):
        versions = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
        self.assertEqual(versions[0], __version__)

    def test_the_target_of_every_link_exists(self):
        for link in re.findall(r"\]\(([^)]+)\)", (ROOT / "CHANGELOG.md").read_text()):
            self.assertTrue(link.startswith("https://") or (ROOT / link).exists(), link)

    def test_the_licence_is_included(self):
        self.assertTrue((ROOT / "LICENSE").read_text().startswith("MIT License\n"))
