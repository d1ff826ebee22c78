"""README.md and every page in docs/: its links, what it names, and that a test runs or checks every block on it."""

import os
import re
import unittest
from pathlib import Path

from app.settings import Settings
from app.settings.dependencies import BUILT_IN, OPTIONS
from tests.docs.pages import BLOCKS, DOCS, FILES, PAGES, ROOT

# The test that runs or checks the blocks under a heading. Variables (dotenv) are checked here, and files by the test
# that names them.
CHECKED_BY = {
    ("README.md", "Start", "console"): "tests.bin.test_dev",
    ("README.md", "How it works", ""): None,  # the picture of the parts
    ("README.md", "HTTP routes", "json"): "tests.test_readme.ReadmeTest.test_the_examples_of_health_are_real_responses",
    ("README.md", "For developers", "console"): "tests.test_readme.ReadmeTest.test_the_commands_for_developers_exist",
    ("docs/ai-services.md", "Hosted APIs", "json"): "tests.docs.test_ai_services.AiServicesTest.test_the_key_is_sent",
    ("docs/deployment.md", "Docker", "console"): "tests.container.test_docs",
    ("docs/deployment.md", "Compose", "console"): "tests.container.test_docs",
    ("docs/deployment.md", "systemd", "console"): "tests.container.test_systemd",
    ("docs/doctor.md", "What it shows", "console"): "tests.docs.test_doctor",
    ("docs/doctor.md", "Exit status and JSON", "json"): "tests.docs.test_doctor",
    ("docs/extending.md", "Adding a check", "python"): "tests.docs.test_extending.OwnCheckTest",
    ("docs/kubernetes.md", "Secret", "console"): "tests.docs.test_kubernetes.ManifestsTest",
    ("docs/kubernetes.md", "IPv6", "yaml"): "tests.docs.test_kubernetes.ManifestsTest",
    ("docs/operations.md", "First look", "console"): "tests.docs.test_operations.OperationsTest",
    ("docs/rotation.md", "systemd", "console"): "tests.container.test_systemd",
    ("docs/replicas.md", "Swarm", "console"): "tests.container.test_swarm",
}
PREFIXES = ("docs", "tests", "app", "bin")


class PagesTest(unittest.TestCase):
    def test_the_index_lists_every_page(self):
        linked = set(re.findall(r"\]\((\S+?\.(?:md|yaml))\)", PAGES["docs/README.md"].text))
        pages = {path.name for path in DOCS.glob("*.md")} - {"README.md"} | {
            "openapi.yaml",
            "../README.md",
            "../CHANGELOG.md",
        }
        self.assertEqual(linked, pages)

    def test_the_target_of_every_link_exists(self):
        for name, page in PAGES.items():
            for link in re.findall(r"\]\(([^)]+)\)", page.prose):
                if link.startswith("https://"):
                    continue
                file, _, anchor = link.partition("#")
                with self.subTest(name, link=link):
                    path = Path(os.path.normpath(page.path.parent / file)) if file else page.path
                    self.assertTrue(path.exists())
                    if anchor:
                        self.assertIn(anchor, PAGES[str(path.relative_to(ROOT))].anchors)

    def test_every_setting_that_is_named_exists(self):
        known = {name.upper() for name in [*Settings.model_fields, *BUILT_IN]} | {"HEALTHCHECK_PATH", *OPTIONS}
        for name, page in PAGES.items():
            for setting in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", page.prose):
                with self.subTest(name):
                    self.assertIn(setting.removesuffix("_FILE"), known)

    def test_every_file_of_the_repository_that_is_named_exists(self):
        for name, page in PAGES.items():
            for file in re.findall(rf"`((?:{'|'.join(PREFIXES)})/[\w./-]*\w)`", page.prose):
                with self.subTest(name):
                    self.assertTrue((ROOT / file).exists(), file)

    def test_every_file_on_a_page_is_read_by_a_test(self):
        folders = (ROOT / "tests/docs", ROOT / "tests/container")
        tests = "".join(path.read_text() for folder in folders for path in folder.glob("*.py"))
        self.assertEqual([name for name in FILES if f'"{name}"' not in tests], [])
        self.assertEqual(len(FILES), len([block for block in BLOCKS if block.file]))  # no name stands for two files

    def test_a_test_runs_or_checks_every_other_block(self):
        others = {(block.page, block.heading, block.language) for block in BLOCKS if not block.file}
        others = {block for block in others if block[2] != "dotenv"}
        self.assertEqual(others, CHECKED_BY.keys())
        for test in filter(None, CHECKED_BY.values()):
            with self.subTest(test):
                suite = unittest.defaultTestLoader.loadTestsFromName(test)
                self.assertGreater(suite.countTestCases(), 0)
                self.assertNotIn("_FailedTest", str(suite))

    def test_the_service_accepts_every_block_of_variables(self):
        for block in BLOCKS:
            if block.language == "dotenv":
                with self.subTest(block.page, heading=block.heading):
                    self.accept(block.text)

    def accept(self, text):
        """Load variables as from an env file, without those that name files of the reader's machine."""
        environ = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
        environ = {name: value for name, value in environ.items() if not name.endswith("_FILE")}
        self.assertEqual(Settings.load(environ).warnings(environ), [])
