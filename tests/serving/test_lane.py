import math
import unittest

from app.health.answers import ProbeAnswers
from app.health.checker_state import Wait
from app.health.probers import Probers
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

    def ask(self, now):
        return self.current(), self.waits

    def current(self):
        record = new_record("mongodb", 0)
        return Report(
            Identity("server", "1.0.0"), (record.after_check(1, 2, outcome(None, 1.0)) if self.connected else record,)
        )

    def arrived(self, waits):
        return all(checker in self.there for checker, _ in waits)


class FakeClient:
    """A connection from `address`."""

    def __init__(self, address="10.0.0.7"):
        self.address = address
        self.prober = None


class TestLane(unittest.TestCase):
    def setUp(self):
        self.watch = FakeWatch()
        self.wall = ScriptedClock(1795464000.5)
        self.draining = False
        self.ailing = []
        self.answers = ProbeAnswers(
            ["ai_service", "mongodb"], 503, ["mongodb"], lambda: self.ailing, lambda: self.draining
        )
        self.clock = ScriptedClock(1000.0)
        self.probers = Probers(self.answers.routes, self.clock, self.wall)
        self.probers.sees_abandonment = True
        self.loop = ScriptedClock(50.0)  # unlike the other clock it stands still while the machine sleeps
        self.lane = Lane(self.watch, self.answers, self.probers, lambda: self.draining, self.wall, self.loop)
        self.client = FakeClient()

    def answer(self, request, client=None):
        """The response alone."""
        data, _ = self.lane.answer(client or self.client, request)
        return data

    def seen(self):
        return {(each.product, each.route): each for each in self.probers.seen()}

    def test_an_answer_has_every_header_and_the_moment_at_which_it_is_given(self):
        self.assertEqual(
            self.answer(HEALTH),
            b"HTTP/1.1 503 SERVICE UNAVAILABLE\r\nServer: gunicorn\r\nDate: Mon, 23 Nov 2026 20:00:00 GMT\r\n"
            b"Connection: keep-alive\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
            b"Vary: Accept\r\nContent-Length: 128\r\n\r\n"
            b'{"status":"unhealthy","timestamp":1795464000500,"version":"1.0.0","service":"server",'
            b'"dependencies":{"mongodb":"disconnected"}}\n',
        )

    def test_an_answer_to_head_has_the_length_that_the_body_would_have(self):
        whole = self.answer(READY)
        self.assertEqual(whole.partition(b"\r\n\r\n")[0], self.answer(READY._replace(head_only=True))[:-4])

    def test_the_version_and_the_end_of_the_connection_are_those_of_the_request(self):
        head = self.answer(LIVE._replace(minor=0, keep_alive=False))
        self.assertTrue(head.startswith(b"HTTP/1.0 200 OK\r\n"))
        self.assertIn(b"\r\nConnection: close\r\n", head)
        self.assertTrue(self.lane.answer(self.client, LIVE._replace(keep_alive=False))[1])
        self.assertFalse(self.lane.answer(self.client, LIVE)[1])

    def test_each_answer_is_the_last_on_its_connection_while_draining(self):
        before = self.answer(READY)
        self.draining = True
        self.assertIn(b"\r\nConnection: keep-alive\r\n", before)
        self.assertIn(b"\r\nConnection: close\r\n", self.answer(READY))
        self.assertIn(b'{"status":"draining","missing":[]}', self.answer(READY))
        self.assertTrue(self.lane.answer(self.client, READY)[1])

    def test_the_date_and_the_timestamp_are_those_of_each_answer(self):
        self.answer(HEALTH)
        self.wall.advance(0.7)
        later = self.answer(HEALTH)
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
            self.assertIn(body, self.answer(request))
        for path in ("/health/", "/health/details", "/health/unknown", "/metrics"):
            self.assertIsNone(self.lane.recognise(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()), path)

    def test_answers_are_counted_by_route_and_status_code(self):
        for request in (HEALTH, HEALTH, LIVE, READY):
            self.answer(request)
        self.ailing.append("checker-mongodb")
        self.answer(LIVE)
        self.assertEqual(
            {counted: number for counted, number in self.answers.counts.snapshot().items() if number},
            {("/health", 503): 2, ("/health/live", 200): 1, ("/health/ready", 503): 1, ("/health/live", 503): 1},
        )

    def test_a_probe_that_must_wait_is_parked_until_all_results_have_arrived(self):
        self.watch.waits = [("mongodb", Wait(1000, 1005)), ("ai_service", Wait(1000, 1006))]
        self.assertIsNone(self.lane.answer(self.client, HEALTH))
        self.assertEqual((len(self.lane), self.lane.wakes_at), (1, 56))
        self.watch.there = {"mongodb"}
        self.assertEqual(list(self.lane.over(52)), [])
        self.watch.there, self.watch.connected = {"mongodb", "ai_service"}, True
        [(client, (answer, close))] = self.lane.over(52)
        self.assertEqual((client, close), (self.client, False))
        self.assertIn(b'"status":"healthy"', answer)
        self.assertEqual((len(self.lane), self.lane.wakes_at), (0, math.inf))

    def test_a_parked_probe_is_answered_with_what_is_known_when_its_time_is_over(self):
        self.watch.waits = [("mongodb", Wait(1000, 1005))]
        self.assertIsNone(self.lane.answer(self.client, HEALTH))
        self.assertEqual(list(self.lane.over(54.9)), [])
        [(client, (answer, _))] = self.lane.over(55)
        self.assertIs(client, self.client)
        self.assertIn(b'"status":"unhealthy"', answer)
        self.assertEqual(self.answers.counts.snapshot()["/health", 503], 1)

    def test_a_liveness_probe_waits_for_nothing(self):
        self.watch.waits = [("mongodb", Wait(1000, 1005))]
        self.assertIsNotNone(self.lane.answer(self.client, LIVE))

    def test_a_kept_connection_counts_each_of_its_probes_for_one_prober(self):
        kubelet = HEALTH._replace(product="kube-probe/1.31")
        self.answer(kubelet)
        remembered = self.client.prober
        self.clock.advance(10)
        self.answer(kubelet)
        self.assertIs(self.client.prober, remembered)
        seen = self.seen()["kube-probe/1.31", "/health"]
        self.assertEqual(
            (seen.address, seen.count, seen.period_ms, seen.last_status, seen.abandoned),
            ("10.0.0.7", 2, 10_000.0, 503, 0),
        )

    def test_a_connection_shared_by_several_probers_counts_for_each(self):
        self.watch.connected = True
        for request in (HEALTH, LIVE, HEALTH._replace(product="curl/8"), HEALTH):
            self.answer(request)
        counts = {key: (each.count, each.last_status) for key, each in self.seen().items()}
        self.assertEqual(
            counts, {(None, "/health"): (2, 200), (None, "/health/live"): (1, 200), ("curl/8", "/health"): (1, 200)}
        )

    def test_connections_of_one_prober_count_together_and_those_of_others_do_not(self):
        for address in ("10.0.0.7", "10.0.0.7", "10.0.0.8"):
            self.answer(LIVE, FakeClient(address))
        self.assertEqual({each.address: each.count for each in self.probers.seen()}, {"10.0.0.7": 2, "10.0.0.8": 1})

    def test_a_kept_connection_whose_prober_was_evicted_counts_for_a_new_one(self):
        self.answer(LIVE)
        for number in range(64):
            self.clock.advance(1)
            self.answer(LIVE._replace(product=str(number)), FakeClient())
        self.assertNotIn((None, "/health/live"), self.seen())
        self.answer(LIVE)
        self.assertEqual(self.seen()[None, "/health/live"].count, 1)

    def test_the_probe_parked_first_is_answered_early_with_what_is_known_to_make_room(self):
        self.watch.waits = [("mongodb", Wait(0, 5.0))]
        clients = [self.client, FakeClient("10.0.0.8")]
        for each in clients:
            self.lane.answer(each, HEALTH)
        hurried = [self.lane.hurry(), self.lane.hurry()]
        self.assertEqual([client for client, _ in hurried], clients)
        self.assertTrue(hurried[0][1][0].startswith(b"HTTP/1.1 503 "))
        self.assertEqual((self.lane.hurry(), len(self.lane), list(self.lane.over(55))), (None, 0, []))

    def test_a_parked_probe_whose_client_leaves_is_abandoned_after_its_own_time(self):
        self.watch.waits = [("mongodb", Wait(1000, 1005))]
        self.lane.answer(self.client, HEALTH)
        self.clock.advance(1.0)
        self.assertTrue(self.lane.abandoned(self.client))
        self.assertEqual((len(self.lane), list(self.lane.over(55))), (0, []))
        seen = self.seen()[None, "/health"]
        self.assertEqual((seen.abandoned, seen.abandoned_after_ms, seen.last_status), (1, 1000, None))
        self.assertEqual(self.probers.abandoned.snapshot()["/health"], 1)
        self.assertEqual(self.answers.counts.snapshot()["/health", 503], 0)

    def test_a_client_that_ends_its_side_at_once_still_gets_its_answer(self):
        self.watch.waits = [("mongodb", Wait(1000, 1005))]
        self.lane.answer(self.client, HEALTH)
        self.clock.advance(0.05)
        self.assertFalse(self.lane.abandoned(self.client))
        [(client, _)] = self.lane.over(55)
        self.assertIs(client, self.client)
        self.assertEqual(self.seen()[None, "/health"].abandoned, 0)

    def test_an_answer_that_could_not_be_sent_was_abandoned_at_an_unknown_time(self):
        self.answer(HEALTH)
        self.lane.unsent(self.client)
        seen = self.seen()[None, "/health"]
        self.assertEqual((seen.abandoned, seen.abandoned_after_ms, seen.last_status), (1, None, None))
