"""The whole command, with a name server that is silent or knows some names."""

import json
import unittest

from tests.peers.name_server import name_server

PROGRAM = """
import json, os, sys
for variable in list(os.environ):
    if variable != "PATH":
        del os.environ[variable]
os.environ |= json.loads(sys.argv.pop())
sys.argv = ["server-health-doctor", "--json"]
from app.doctor import approach
approach.STEP_SECONDS = 1.0
from app.doctor.command import main
try:
    main()
except SystemExit as status:
    sys.exit(0 if status.code == 1 else f"status {status.code}")
"""


class NameServerTest(unittest.TestCase):
    def means(self, run, **settings):
        """The sentences by name of the dependency."""
        return {each["name"]: each["means"] for each in json.loads(run(PROGRAM, json.dumps(settings)))["dependencies"]}

    def test_a_silent_name_server_is_named_as_the_cause(self):
        with name_server() as run:
            means = self.means(
                run, MONGO_URI="", AI_SERVICE_URL="http://ai.example.test:8000", CHECK_TIMEOUT_SECONDS="1"
            )
        self.assertRegex(means["ai_service"], "The name server did not answer")

    def test_service_records_are_followed_and_a_name_that_does_not_exist_is_named_as_the_cause(self):
        names = {
            ("_mongodb._tcp.cluster.example.test", "SRV"): ["0 0 1 a.example.test.", "0 0 1 b.example.test."],
            ("cluster.example.test", "TXT"): [],
            ("a.example.test", "A"): ["127.0.0.1"],
        }
        with name_server(lambda *question: names.get(question)) as run:
            settings = {"MONGO_URI": "mongodb+srv://cluster.example.test/?tls=false"}
            output = run(PROGRAM, json.dumps({**settings, "AI_SERVICE_URL": "http://ai.example.test:8000"}))
        ai_service, mongodb = json.loads(output)["dependencies"]
        self.assertEqual(ai_service["means"], "The name does not resolve.")
        states = [(each["step"], each["state"]) for each in mongodb["steps"][:2]]
        self.assertEqual(states, [("name", "ok"), ("connect", "failed")])
        texts = set(mongodb["steps"][0]["text"].split("; "))
        self.assertEqual(texts, {"a.example.test -> 127.0.0.1", "b.example.test: name not found"})


if __name__ == "__main__":
    unittest.main()
