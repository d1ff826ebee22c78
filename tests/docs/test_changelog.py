"""The changelog describes the current version."""

import configparser
import re
import unittest

from tests.docs.snippets import ROOT


class ChangelogTest(unittest.TestCase):
    def test_the_newest_version_in_the_changelog_is_the_one_in_setup_cfg(self):
        metadata = configparser.ConfigParser()
        metadata.read(ROOT / "setup.cfg")
        versions = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
        self.assertEqual(versions[0], metadata["metadata"]["version"])

    def test_the_licence_is_included(self):
        self.assertTrue((ROOT / "LICENSE").read_text().startswith("MIT License\n"))
