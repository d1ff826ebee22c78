"""A look-up cannot be interrupted: what is told meanwhile, and what happens when it comes back."""

import json
import unittest
from concurrent.futures import ThreadPoolExecutor

from tests.peers.mongo import ScriptedMongo
from tests.peers.name_server import SECONDS, name_server

PROGRAM = """
import json, sys, threading, time
from app.checks.http import HttpCheck
from app.checks.mongodb import MongoDbCheck
from app.health.checker import Checker
from app.health.timing import Timing

kind, url = sys.argv[1:]
check = {"ai_service": HttpCheck, "mongodb": MongoDbCheck}[kind](url, 0.3)
told, steps = threading.Condition(), []

def listen(step):
    with told:
        steps.append((time.monotonic() - began, step.after.reason))
        told.notify_all()

checker = Checker(check, Timing(interval=60, max_age=0.1, probe_wait=0.05, timeout=0.3), listen)
began = time.monotonic()
checker.start()
with told:
    assert told.wait_for(lambda: len(steps) >= 1, 10)
asked = time.monotonic()
view = checker.view(ask=True)
waited = time.monotonic() - asked
ailing = checker.ailing_threads()
with told:
    assert told.wait_for(lambda: len(steps) >= 2, 10)
checker.stop()
checker.join(5)
print(json.dumps({"steps": steps, "view": view.record.reason, "waited": waited, "ailing": ailing}))
"""


class MuteNameServerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        calls = [
            ("ai_service", "http://ai.example.test:8000"),
            ("mongodb", "mongodb://db.example.test"),
            ("mongodb", "mongodb+srv://cluster.example.test"),
        ]
        with name_server() as run, ThreadPoolExecutor(len(calls)) as threads:
            outputs = threads.map(lambda call: run(PROGRAM, *call), calls)
            cls.ai_service, *cls.mongodb = map(json.loads, outputs)

    def test_a_look_up_that_hangs_is_a_timeout_at_the_deadline_and_is_checked_again_when_it_is_back(self):
        facts = self.ai_service
        (first, reason), (second, again) = facts["steps"]
        self.assertEqual((reason, again, facts["view"]), ("timeout", "timeout", "timeout"))
        self.assertLess(first, SECONDS)
        self.assertGreaterEqual(second, SECONDS)
        self.assertLess(facts["waited"], 0.2)
        self.assertEqual(facts["ailing"], [])

    def test_nor_does_it_hold_up_mongodb(self):
        for facts in self.mongodb:
            self.assertIn(facts["view"], ("timeout", "dns"))
            self.assertLess(facts["steps"][0][0], SECONDS)


FIVE_CHECKS = """
import json, sys
from app.checks.mongodb import MongoDbCheck

check = MongoDbCheck(sys.argv[1], 3.0)
seen = []
for _ in range(5):
    reason = check.run().reason
    seen.append((reason, id(check._client) if check._client else None))
check.close()
print(json.dumps(seen))
"""


class ServiceRecordTest(unittest.TestCase):
    def test_a_client_is_made_by_the_first_check_that_can_make_it_and_kept(self):
        asked = []

        def answer(name, kind):
            asked.append((name, kind))
            if kind == "SRV":
                return [f"0 0 {server.port} db.example.test."] if asked.count((name, kind)) > 2 else None
            return {("db.example.test", "A"): ["127.0.0.1"], ("db.example.test", "AAAA"): []}.get((name, kind))

        with ScriptedMongo() as server, name_server(answer) as run:
            seen = json.loads(run(FIVE_CHECKS, "mongodb+srv://cluster.example.test/?tls=false"))
        (first, none), (second, still_none), *later = seen
        self.assertEqual((first, none, second, still_none), ("dns", None, "dns", None))
        self.assertEqual([reason for reason, _ in later], [None] * 3)
        self.assertEqual(len({client for _, client in later}), 1)
        self.assertEqual(asked.count(("_mongodb._tcp.cluster.example.test", "SRV")), 3)

    def test_a_name_that_does_not_exist(self):
        program = """
import sys
from app.checks.http import HttpCheck
check = HttpCheck(sys.argv[1], 3.0)
print(check.run().reason)
check.close()
"""
        with name_server(lambda name, kind: None) as run:
            self.assertEqual(run(program, "http://ai.example.test:8000").strip(), "dns")


if __name__ == "__main__":
    unittest.main()
