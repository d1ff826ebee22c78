"""The locked versions are those that the code requires, and nothing is locked without need."""

import configparser
import re
import unittest
from importlib.metadata import requires
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCKED = ROOT / "requirements.txt"
LOCKED_FOR_TESTS = ROOT / "tests/requirements.txt"


def entries(path):
    """Each entry of a requirements file, its continuation lines joined, without comments."""
    lines = re.sub(r"(?m)^\s*#.*\n", "", path.read_text()).replace("\\\n", "").splitlines()
    return [" ".join(line.split()) for line in lines if line.strip()]


def locked(path):
    """Canonical name -> version."""
    pairs = (entry.split()[0].split("==") for entry in entries(path))
    return {canonicalize_name(name): version for name, version in pairs}


def required():
    """The requirements in setup.cfg."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return [Requirement(line) for line in config["options"]["install_requires"].splitlines() if line.strip()]


class RequirementsTest(unittest.TestCase):
    def test_the_locked_versions_satisfy_setup_cfg(self):
        versions = locked(LOCKED)
        for requirement in required():
            with self.subTest(str(requirement)):
                self.assertIn(versions.get(canonicalize_name(requirement.name)), requirement.specifier)

    def test_nothing_is_locked_that_nothing_requires(self):
        """Every locked package is reached from setup.cfg, on this Python."""
        reached, ahead = set(), required()
        while ahead:
            requirement = ahead.pop()
            name = canonicalize_name(requirement.name)
            if name not in reached:
                reached.add(name)
                environments = [default_environment() | {"extra": extra} for extra in ("", *requirement.extras)]
                for each in map(Requirement, requires(name) or []):
                    if each.marker is None or any(map(each.marker.evaluate, environments)):
                        ahead.append(each)
        self.assertEqual(sorted(locked(LOCKED)), sorted(reached))

    def test_every_locked_package_has_one_version_and_its_hashes(self):
        for path in LOCKED, LOCKED_FOR_TESTS:
            for entry in entries(path):
                with self.subTest(path=path.name, entry=entry[:60]):
                    self.assertRegex(entry, r"\A[\w.-]+==[\w.!+]+( --hash=sha256:[0-9a-f]{64})+\Z")

    def test_tests_and_production_run_on_the_same_versions(self):
        production, tests = locked(LOCKED), locked(LOCKED_FOR_TESTS)
        shared = production.keys() & tests.keys()
        self.assertEqual({name: tests[name] for name in shared}, {name: production[name] for name in shared})
        self.assertIn("pymongo", shared)

    def test_every_requirement_of_the_tests_is_locked(self):
        lines = (ROOT / "tests/requirements.in").read_text().splitlines()
        names = {canonicalize_name(line) for line in lines if line and line[0] not in "#-"}
        self.assertLessEqual(names, locked(LOCKED_FOR_TESTS).keys())
