"""docs/doctor.md shows what the doctor really does."""

import json
import re
import tempfile
import time
import unittest
from unittest import mock

from app import factory
from app.doctor import advice
from app.doctor.approach import LONGEST_SECONDS, STEP_SECONDS, Place
from app.doctor.examination import State, examine_all
from app.doctor.output import Output
from app.doctor.subjects import dependencies
from app.logs.redaction import Redactor
from app.settings import Settings
from tests.docs.pages import PAGES
from tests.doctor.broken import encrypted
from tests.doctor.diagnosing import NamesHere
from tests.peers.ai_service import FaultyAiService
from tests.peers.certificates import issued
from tests.peers.mongo import Script, ScriptedMongo
from tests.peers.ports import reserve_port

PAGE = PAGES["docs/doctor.md"]
# Behind the command, and the two lines that are above every diagnosis.
SAMPLE = PAGE.block("What it shows", "console").partition("\n\n")[2]
JSON = PAGE.block("Exit status and JSON", "json")


def shape(text):
    """A text without what differs from run to run: times, addresses, ports."""
    text = re.sub(r" +\d+ ms", " N ms", text)
    text = re.sub(r"\d+\.\d+\.\d+\.\d+", "ADDRESS", text)
    return re.sub(r"(?<=[a-zA-Z0-9]):\d+", ":PORT", text)


def diagnoses(**settings):
    names = NamesHere(ai="127.0.0.1", cache="127.0.0.1", db="127.0.0.1")
    with mock.patch.object(factory, "Resolver", lambda: names):
        return examine_all(dependencies(Settings.load(settings), Place(True, time.time())))


class DoctorPageTest(unittest.TestCase):
    maxDiff = None

    def test_the_sample_is_what_the_doctor_prints(self):
        context, _ = issued(self.enterContext(tempfile.TemporaryDirectory()), names=("cache",))
        with FaultyAiService() as ai, encrypted(context) as cache, ScriptedMongo(Script.PRIMARY) as db:
            db.play(Script.PRIMARY, hosts=[f"db:{db.port}", "db2:27017"])
            found = diagnoses(
                AI_SERVICE_URL=f"http://ai:{ai.port}",
                DEPENDENCY__CACHE__URL=f"rediss://cache:{cache}",
                MONGO_URI=f"mongodb://db:{db.port}/?replicaSet=rs",
            )
        self.assertEqual(shape(Output(Redactor([])).text(found) + "\n"), shape(SAMPLE))

    def test_the_json_is_what_the_doctor_prints(self):
        with reserve_port() as reserved:
            port = reserved.getsockname()[1]
            # Not on the loopback address of a container, for which there is a more precise sentence.
            with mock.patch("app.doctor.reach.Server.is_loopback", False):
                found = diagnoses(AI_SERVICE_URL=f"http://ai:{port}", MONGO_URI="")
        shown = json.loads(shape(Output(Redactor([])).json(found, [])))
        expected = json.loads(shape(json.dumps(json.loads(JSON))))
        for each in shown["dependencies"] + expected["dependencies"]:
            for step in each["steps"]:
                step["ms"] = 0
        self.assertEqual(shown, expected)

    def test_every_sentence_of_the_doctor_is_listed_and_no_other(self):
        rows = re.findall(r"^\| (.+) \| (.+) \|$", PAGE.section("What it can say"), re.MULTILINE)
        self.assertEqual(rows[2:], [each for each in vars(advice).values() if isinstance(each, advice.Advice)])

    def test_steps_states_and_times_are_those_of_the_code(self):
        steps = ["name", "connect", "tls", "speak", "authenticate", "check"]
        self.assertEqual(PAGE.first_column("What it shows"), steps)
        self.assertEqual(re.findall(r"`state` is `(\w+)`, `(\w+)` or `(\w+)`", PAGE.text), [tuple(State)])
        self.assertIn(f"A step ends after {STEP_SECONDS:g} s", PAGE.text)
        self.assertIn(f"up to {LONGEST_SECONDS:g} s", PAGE.text)


if __name__ == "__main__":
    unittest.main()
