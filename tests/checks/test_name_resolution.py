"""A look-up cannot be interrupted: what is reported meanwhile, and what happens when it comes back."""

import json
import unittest
from concurrent.futures import ThreadPoolExecutor

import dns.exception

from tests.peers.mongo import ScriptedMongo
from tests.peers.name_server import SECONDS, name_server

PROGRAM = """
import json, sys, threading, time
import certifi
import dns.resolver  # here, because the driver would import it in the middle of a check
from app.checks.http import HttpCheck
from app.checks.mongodb import MongoDbCheck
from app.health.checker import Checker
from app.health.dependency import Dependency
from app.health.timing import Timing
from app.net.resolver import Resolver

url = sys.argv[1]
if url.startswith("http"):
    check = HttpCheck("http", url, certifi.where(), Resolver())
else:
    check = MongoDbCheck("mongodb", url, 0.3, Resolver())
told, steps = threading.Condition(), []

def listen(step):
    with told:
        steps.append((time.monotonic() - began, step.after.reason))
        told.notify_all()

timing = Timing(interval=60, max_age=0.1, probe_wait=0.05, timeout=0.3)
checker = Checker(Dependency(check.name, "http", check.name, timing=timing), check, listen)
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
    def test_a_look_up_that_hangs_is_a_timeout_at_the_deadline_and_does_not_hold_up_the_next_check(self):
        urls = ["http://ai.example.test:8000", "mongodb://db.example.test", "mongodb+srv://cluster.example.test"]
        with name_server() as run, ThreadPoolExecutor(len(urls)) as threads:
            outputs = list(threads.map(lambda url: run(PROGRAM, url), urls))
        for url, facts in zip(urls, map(json.loads, outputs), strict=True):
            with self.subTest(url):
                (first, reason), (second, again) = facts["steps"]
                # A service record is looked up by dnspython, which gives up by itself, in half of the time.
                self.assertLessEqual(
                    {reason, again, facts["view"]}, {"timeout", "dns"} if "+srv" in url else {"timeout"}
                )
                self.assertLess(first, SECONDS)
                self.assertLess(second - first, SECONDS)
                self.assertLess(facts["waited"], SECONDS)
                self.assertEqual(facts["ailing"], [])


CHECKS = """
import json, sys
import dns.resolver
from app.checks.check import perform
from app.checks.mongodb import MongoDbCheck
from app.net.resolver import Resolver

uri, timeout, count = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
check = MongoDbCheck("mongodb", uri, timeout, Resolver())
outcomes = [perform(check, timeout) for _ in range(count)]
check.close()
print(json.dumps([(outcome.reason, outcome.latency) for outcome in outcomes]))
"""


class MongoDbNamesTest(unittest.TestCase):
    def test_a_look_up_that_hangs_for_the_connection_of_a_ping_is_left_behind(self):
        asked = []

        def answer(name, kind):
            asked.append((name, kind))
            if asked.count((name, kind)) > 1:  # the monitor's was the first
                raise dns.exception.Timeout
            return ["127.0.0.1"] if kind == "A" else []

        with ScriptedMongo(streams=False) as server, name_server(answer) as run:
            ((reason, latency),) = json.loads(run(CHECKS, f"mongodb://db.example.test:{server.port}", "2", "1"))
        self.assertEqual(reason, "timeout")
        self.assertLess(latency, SECONDS)
        self.assertEqual(asked.count(("db.example.test", "A")), 2)

    def test_a_service_record_is_looked_up_until_it_is_found_and_not_again(self):
        asked = []

        def answer(name, kind):
            asked.append((name, kind))
            if kind == "SRV":
                return [f"0 0 {server.port} db.example.test."] if asked.count((name, kind)) > 2 else None
            return {("db.example.test", "A"): ["127.0.0.1"], ("db.example.test", "AAAA"): []}.get((name, kind))

        with ScriptedMongo() as server, name_server(answer) as run:
            uri = "mongodb+srv://cluster.example.test/app?tls=false&srvServiceName=mongo"
            outcomes = json.loads(run(CHECKS, uri, "3", "5"))
        self.assertEqual([reason for reason, _ in outcomes], ["dns", "dns", None, None, None])
        self.assertEqual(asked.count(("_mongo._tcp.cluster.example.test", "SRV")), 3)

    def test_both_records_of_a_service_together_are_held_to_the_deadline(self):
        def answer(name, kind):
            if kind == "TXT":
                raise dns.exception.Timeout
            return ["0 0 27017 db.example.test."]

        with name_server(answer) as run:
            ((reason, latency),) = json.loads(run(CHECKS, "mongodb+srv://cluster.example.test", "3", "1"))
        self.assertEqual(reason, "dns")
        self.assertLess(latency, 3.0)

    def test_a_service_of_more_than_fifty_servers_is_not_dialled(self):
        def answer(name, kind):
            return [f"0 0 {n} db.example.test." for n in range(1, 52)] if kind == "SRV" else None

        with name_server(answer) as run:
            ((reason, _),) = json.loads(run(CHECKS, "mongodb+srv://cluster.example.test", "3", "1"))
        self.assertEqual(reason, "protocol")


if __name__ == "__main__":
    unittest.main()
