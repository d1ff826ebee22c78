import math
import unittest

from app.health.answers import ProbeAnswers
from app.health.checker_state import Wait
from app.health.report import Identity, Report
from app.serving.lane import Lane
from app.serving.request_head import ProbeRequest
from tests.fakes import ScriptedClock, new_record, outcome

HEALTH = ProbeRequest("/health", False, 1, True)
READY = ProbeRequest("/health/ready", False, 1, True)
LIVE = ProbeRequest("/health/live", False, 1, True)


class FakeWatch:
    """A probe is told to wait for `waits`; those of checkers in `there` have arrived."""

    def __init__(self):
        self.waits = []
        self.there = set()
        self.connected = False

    def ask(self):
        return self.current(), self.waits

    def current(self):
        record = new_record("mongodb", 0)
        return Report(
            Identity("server", "1.0.0"), (record.after_check(1, 2, outcome(None, 1.0)) if self.connected else record,)
        )

    def arrived(self, waits):
        return all(checker in self.there for checker, _ in waits)


class TestLane(unittest.TestCase):
    def setUp(self):
        self.watch = FakeWatch()
        self.wall = ScriptedClock(1795464000.5)
        self.draining = False
        self.ailing = []
        self.answers = ProbeAnswers(
            ["ai_service", "mongodb"], 503, ["mongodb"], lambda: self.ailing, lambda: self.draining
        )
        self.lane = Lane(self.watch, self.answers, lambda: self.draining, self.wall)

    def test_an_answer_has_every_header_and_the_moment_at_which_it_is_given(self):
        self.assertEqual(
            self.lane.answer("a", HEALTH),
            b"HTTP/1.1 503 SERVICE UNAVAILABLE\r\nServer: gunicorn\r\nDate: Mon, 23 Nov 2026 20:00:00 GMT\r\n"
            b"Connection: keep-alive\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
            b"Vary: Accept\r\nContent-Length: 128\r\n\r\n"
            b'{"status":"unhealthy","timestamp":1795464000500,"version":"1.0.0","service":"server",'
            b'"dependencies":{"mongodb":"disconnected"}}\n',
        )

    def test_an_answer_to_head_has_the_length_that_the_body_would_have(self):
        whole = self.lane.answer("a", READY)
        self.assertEqual(whole.partition(b"\r\n\r\n")[0], self.lane.answer("a", READY._replace(head_only=True))[:-4])

    def test_the_version_and_the_end_of_the_connection_are_those_of_the_request(self):
        head = self.lane.answer("a", LIVE._replace(minor=0, keep_alive=False))
        self.assertTrue(head.startswith(b"HTTP/1.0 200 OK\r\n"))
        self.assertIn(b"\r\nConnection: close\r\n", head)
        self.assertTrue(self.lane.closes(LIVE._replace(keep_alive=False)))
        self.assertFalse(self.lane.closes(LIVE))

    def test_each_answer_is_the_last_on_its_connection_while_draining(self):
        before = self.lane.answer("a", READY)
        self.draining = True
        self.assertIn(b"\r\nConnection: keep-alive\r\n", before)
        self.assertIn(b"\r\nConnection: close\r\n", self.lane.answer("a", READY))
        self.assertIn(b'{"status":"draining","missing":[]}', self.lane.answer("a", READY))
        self.assertTrue(self.lane.closes(READY))

    def test_the_date_and_the_timestamp_are_those_of_each_answer(self):
        self.lane.answer("a", HEALTH)
        self.wall.advance(0.7)
        later = self.lane.answer("a", HEALTH)
        self.assertIn(b"20:00:01 GMT", later)
        self.assertIn(b'"timestamp":1795464001200,', later)

    def test_aliases_and_dependencies_are_probes_and_other_paths_are_not(self):
        for path, body in (
            ("/healthz", b'"status":"unhealthy"'),
            ("/livez", b'{"status":"alive"}'),
            ("/readyz", b'{"status":"not ready","missing":["mongodb"]}'),
            ("/health/mongodb", b'{"status":"disconnected","reason":"pending"'),
        ):
            request = self.lane.recognise(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            self.assertIn(body, self.lane.answer("a", request))
        for path in ("/health/", "/health/details", "/health/unknown", "/metrics"):
            self.assertIsNone(self.lane.recognise(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()), path)

    def test_answers_are_counted_by_route_and_status_code(self):
        for request in (HEALTH, HEALTH, LIVE, READY):
            self.lane.answer("a", request)
        self.ailing.append("checker-mongodb")
        self.lane.answer("a", LIVE)
        self.assertEqual(
            {counted: number for counted, number in self.answers.counts.snapshot().items() if number},
            {("/health", 503): 2, ("/health/live", 200): 1, ("/health/ready", 503): 1, ("/health/live", 503): 1},
        )

    def test_a_probe_that_must_wait_is_parked_until_all_results_have_arrived(self):
        self.watch.waits = [("mongodb", Wait(1, 5)), ("ai_service", Wait(1, 6))]
        self.assertIsNone(self.lane.answer("a", HEALTH))
        self.assertEqual((len(self.lane), self.lane.wakes_at), (1, 6))
        self.watch.there = {"mongodb"}
        self.assertEqual(list(self.lane.over(2)), [])
        self.watch.there, self.watch.connected = {"mongodb", "ai_service"}, True
        [(client, request, answer)] = self.lane.over(2)
        self.assertEqual((client, request), ("a", HEALTH))
        self.assertIn(b'"status":"healthy"', answer)
        self.assertEqual((len(self.lane), self.lane.wakes_at), (0, math.inf))

    def test_a_parked_probe_is_answered_with_what_is_known_when_its_time_is_over(self):
        self.watch.waits = [("mongodb", Wait(1, 5))]
        self.assertIsNone(self.lane.answer("a", HEALTH))
        self.assertEqual(list(self.lane.over(4.9)), [])
        [(client, _, answer)] = self.lane.over(5)
        self.assertEqual(client, "a")
        self.assertIn(b'"status":"unhealthy"', answer)
        self.assertEqual(self.answers.counts.snapshot()["/health", 503], 1)

    def test_a_liveness_probe_waits_for_nothing(self):
        self.watch.waits = [("mongodb", Wait(1, 5))]
        self.assertIsNotNone(self.lane.answer("a", LIVE))
