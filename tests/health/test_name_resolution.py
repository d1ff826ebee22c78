"""A look-up cannot be interrupted: what is told meanwhile, and what happens when it comes back."""

import json
import unittest

from tests.peers.name_server import SECONDS, mute_name_server

PROGRAM = """
import json, sys, threading, time
from app.health.ai_service_check import AiServiceCheck
from app.health.mongo_check import MongoCheck
from app.health.prober import Prober
from app.health.timing import Timing

kind, url = sys.argv[1:]
check = {"ai_service": AiServiceCheck, "mongodb": MongoCheck}[kind](url, 0.3)
told, steps = threading.Condition(), []

def listen(step):
    with told:
        steps.append((time.monotonic() - began, step.after.reason))
        told.notify_all()

prober = Prober(check, Timing(interval=60, max_age=0.1, probe_wait=0.05, timeout=0.3), listen)
began = time.monotonic()
prober.start()
with told:
    assert told.wait_for(lambda: len(steps) >= 1, 10)
asked = time.monotonic()
view = prober.view(ask=True)
waited = time.monotonic() - asked
ailing = prober.ailing_threads()
with told:
    assert told.wait_for(lambda: len(steps) >= 2, 10)
prober.stop()
prober.join(5)
print(json.dumps({"steps": steps, "view": view.record.reason, "waited": waited, "ailing": ailing}))
"""


class MuteNameServerTest(unittest.TestCase):
    def run_prober(self, *arguments):
        with mute_name_server() as run:
            return json.loads(run(PROGRAM, *arguments))

    def test_a_look_up_that_hangs_is_a_timeout_at_the_deadline_and_is_checked_again_when_it_is_back(self):
        facts = self.run_prober("ai_service", "http://ai.example.test:8000")
        (first, reason), (second, again) = facts["steps"]
        self.assertEqual((reason, again, facts["view"]), ("timeout", "timeout", "timeout"))
        self.assertLess(first, SECONDS)
        self.assertGreaterEqual(second, SECONDS)
        self.assertLess(facts["waited"], 0.2)
        self.assertEqual(facts["ailing"], [])

    def test_nor_does_it_hold_up_mongodb(self):
        for uri in ("mongodb://db.example.test", "mongodb+srv://cluster.example.test"):
            with self.subTest(uri):
                facts = self.run_prober("mongodb", uri)
                self.assertIn(facts["view"], ("timeout", "dns"))
                self.assertLess(facts["steps"][0][0], SECONDS)


if __name__ == "__main__":
    unittest.main()
