"""docs/doctor.md shows what the doctor really does."""

import json
import re
import tempfile
import time
import unittest
from unittest import mock

from app import factory
from app.doctor import advice
from app.doctor.approach import STEP_SECONDS, Place
from app.doctor.examination import State, examine_all
from app.doctor.output import Output
from app.doctor.subjects import dependencies
from app.logs.redaction import Redactor
from app.settings import Settings
from tests.docs.snippets import DOCS, ROOT
from tests.docs.snippets import anchors as anchors_of_operations
from tests.doctor.broken import encrypted
from tests.doctor.diagnosing import NamesHere
from tests.peers.ai_service import FaultyAiService
from tests.peers.certificates import issued
from tests.peers.mongo import Script, ScriptedMongo
from tests.peers.tcp_server import reserve_port

PAGE = (DOCS / "doctor.md").read_text(encoding="utf-8")
[SAMPLE] = re.findall(r"```console\n\$ [^\n]*\n[^\n]*\n[^\n]*\n\n(.*?)```", PAGE, re.DOTALL)
[JSON] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


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
        listed = re.findall(r"^\| (.+) \| (.+) \|$", PAGE.partition("## What it can say")[2], re.MULTILINE)[2:]
        self.assertEqual(listed, [each for each in vars(advice).values() if isinstance(each, advice.Advice)])

    def test_steps_states_and_times_are_those_of_the_code(self):
        steps = re.findall(r"^\| `(\w+)` \|", PAGE.partition("| step |")[2].partition("## ")[0], re.MULTILINE)
        self.assertEqual(steps, ["name", "connect", "tls", "speak", "authenticate", "check"])
        words = re.findall(r"`state` is `(\w+)`, `(\w+)` or `(\w+)`", PAGE)
        self.assertEqual(words, [tuple(State)])
        self.assertIn(f"A step ends after {STEP_SECONDS:g} s", PAGE)

    def test_every_link_and_file_exists(self):
        for file, anchor in re.findall(r"\]\((\w+\.md)#([\w-]+)\)", PAGE):
            self.assertEqual(file, "operations.md")
            self.assertIn(anchor, anchors_of_operations())
        for file in re.findall(r"\bbin/\w+", PAGE):
            self.assertTrue((ROOT / file).exists(), file)


if __name__ == "__main__":
    unittest.main()
