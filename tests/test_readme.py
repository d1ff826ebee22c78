"""The README shows what the service really returns and accepts."""

import re
import unittest

from app.checks.kinds import KINDS
from app.health.report import Identity, Report
from app.net.reason import Reason
from app.settings import Settings
from tests.docs.pages import PAGES, ROOT
from tests.fakes import new_record, outcome

PAGE = PAGES["README.md"]


def report(ai_service):
    records = [
        new_record("ai_service", 0).after_check(1, 2, outcome(ai_service, 1.0)),
        new_record("mongodb", 0).after_check(1, 2, outcome(None, 1.0)),
    ]
    return Report(Identity("server", "1.0.0"), tuple(records))


class ReadmeTest(unittest.TestCase):
    def test_the_examples_of_health_are_real_responses(self):
        examples = re.findall(r"```json\n(.*?)```", PAGE.text, re.DOTALL)
        answers = [report(reason).health_json(1795464000000).decode() for reason in (None, Reason.REFUSED)]
        self.assertEqual(examples, answers)

    def test_every_reason_is_listed(self):
        missing = [reason for reason in Reason if f"`{reason}`" not in PAGE.text]
        self.assertEqual(missing, [])

    def test_the_service_accepts_every_variable_of_the_table_of_what_it_can_watch(self):
        cells = [row.split(" | ")[1] for row in PAGE.section("What it can watch").splitlines() if " | `" in row]
        declared = [re.findall(r"`([A-Z_]+=[^`]*)`", cell) for cell in cells]
        self.assertTrue(all(declared))
        environ = {}
        for variables in [*declared[:-3], *declared[-2:]]:
            environ |= dict(variable.split("=", 1) for variable in variables)
        watched = {each.name: each for each in Settings.load(environ).dependencies}
        self.assertEqual(watched.keys(), {"ai_service", "cache", "mail", "mongodb", "orders", "search"})
        self.assertEqual((watched["cache"].required, watched["cache"].failures), (False, 3))
        self.assertTrue(watched["search"].body_matches.search('{"status":"green"}'))
        self.assertEqual(Settings.load(environ).warnings(environ), [])
        left_out = dict(variable.split("=", 1) for variable in declared[-3])
        self.assertEqual(left_out, {"MONGO_URI": "", "AI_SERVICE_URL": ""})

    def test_every_scheme_is_in_the_table_of_what_it_can_watch(self):
        table = PAGE.section("What it can watch")
        missing = [kind.name for kind in KINDS.values() if f"={kind.name}://" not in table]
        self.assertEqual(missing, [])

    def test_the_commands_for_developers_exist(self):
        for command in PAGE.commands("For developers"):
            with self.subTest(command):
                program, *arguments = command.split()
                if program == "python":
                    program, arguments = arguments[1].replace(".", "/") + "/__main__.py", []
                self.assertTrue((ROOT / program).exists())
                for name in arguments:
                    self.assertTrue((ROOT / name.replace(".", "/")).is_dir())
