"""A server that we dial: turn by turn on a scripted clock, then with real servers."""

import signal
import threading
import time
import unittest
from unittest import mock

import certifi

from app.connections.backoff import Backoff
from app.connections.connection import State
from app.connections.dialler import DialFailed, Dialler
from app.connections.ending import Ended
from app.connections.monitor import Monitor
from app.connections.registry import Registry
from app.connections.target import Target
from app.connections.upstream import OUTCOMES, Upstream
from app.net.reason import Reason
from app.net.resolver import Resolver
from app.tally import Tally
from tests.fakes import DEADLINE, LogLines, ScriptedClock
from tests.peers.ports import reserve_port
from tests.peers.service import eventually
from tests.peers.tcp_server import ScriptedServer
from tests.peers.websocket import process, read_all, read_head, upstream

TARGET = Target.parse("ws://127.0.0.1:1/")
REFUSED = DialFailed(Reason.REFUSED, "connection refused")
LOST = Ended(1006, "gone")


class FakeWebSocket:
    """Holds for so many seconds, then ends as `end` tells; `during` is called meanwhile."""

    def __init__(self, clock, held, end=LOST, during=lambda: None):
        self.clock, self.held, self.end, self.during = clock, held, end, during
        self.closes = []
        self.receive_all = None

    def run(self, name, handler):
        self.during()
        self.clock.advance(self.held)
        if not isinstance(self.end, Ended):
            raise self.end
        return self.end

    def close(self, code, words=""):
        self.closes.append(code)

    def cut(self):
        self.closes.append("cut")


class ScriptedDialler:
    """Returns what `script` holds, one entry at each dial, or raises it; refused at its end."""

    def __init__(self, *script):
        self.script = list(script)

    def dial(self, target):
        entry = self.script.pop(0) if self.script else REFUSED
        if isinstance(entry, Exception):
            raise entry
        return entry


class TurnCase(unittest.TestCase):
    def setUp(self):
        self.clock = ScriptedClock(100.0)
        self.wall_clock = ScriptedClock(5000.0)
        self.outcomes = Tally(OUTCOMES)
        self.states, self.waits = [], []
        self.log = LogLines(self, "app.connections")

    def upstream(self, *script, jitter=0.0, **backoff):
        connection = Upstream(
            "a",
            TARGET,
            ScriptedDialler(*script),
            Backoff(**backoff),
            self.outcomes,
            jitter=lambda: jitter,
            wait=self.wait,
            clock=self.clock,
            wall_clock=self.wall_clock,
        )
        connection.listener = lambda _, state: self.states.append(state)
        return connection

    def wait(self, seconds):
        self.waits.append(seconds if seconds is None else round(seconds, 6))
        self.clock.advance(seconds or 0)

    def socket(self, held, *arguments, **options):
        return FakeWebSocket(self.clock, held, *arguments, **options)

    def turns(self, connection, count):
        """The waits of so many turns."""
        self.waits = []
        for _ in range(count):
            connection.turn()
        return self.waits


class ScheduleTest(TurnCase):
    def test_a_server_that_refuses_is_dialled_after_0_to_4_times_the_base_then_after_a_rest(self):
        connection = self.upstream(base=2.0, cooldown=100.0)
        self.assertEqual(self.turns(connection, 5), [2, 4, 6, 8, 100])
        self.assertEqual((connection.state, connection.attempts, connection.reason), (State.FAILED, 5, Reason.REFUSED))
        error = "ERROR upstream a: max reconnection attempts reached (5, last: refused (connection refused))"
        self.assertEqual([line for line in self.log.lines if line.startswith("ERROR")], [error])
        self.assertEqual(self.turns(connection, 5), [2, 4, 6, 8, 100])
        self.assertEqual(self.states, [State.RECONNECTING, State.FAILED] * 2)
        self.assertEqual(self.outcomes.snapshot(), {"success": 0, "failure": 10, "gave_up": 2})

    def test_waits_are_longer_by_at_most_a_fifth(self):
        connection = self.upstream(jitter=1.0, cooldown=100.0)
        self.assertEqual(self.turns(connection, 5), [1.2, 2.4, 3.6, 4.8, 120])

    def test_a_server_that_accepts_and_drops_is_dialled_on_the_same_schedule(self):
        connection = self.upstream(*[self.socket(held=9.9) for _ in range(5)], cooldown=100.0)
        self.assertEqual(self.turns(connection, 5), [1, 2, 3, 4, 100])
        self.assertEqual(self.outcomes.snapshot(), {"success": 5, "failure": 0, "gave_up": 1})

    def test_a_connection_that_held_ten_times_the_base_starts_again_from_zero(self):
        attempts = []

        def during():
            attempts.append(connection.attempts)
            self.clock.advance(10)
            attempts.append(connection.attempts)

        connection = self.upstream(REFUSED, REFUSED, self.socket(held=0, during=during))
        self.assertEqual(self.turns(connection, 3), [1, 2, 0])
        self.assertEqual(attempts, [2, 0])
        self.assertEqual((connection.state, connection.reason), (State.RECONNECTING, Reason.CLOSED))

    def test_without_a_cooldown_it_has_failed_for_good(self):
        connection = self.upstream(cooldown=0, max_attempts=1)
        self.assertEqual(self.turns(connection, 1), [None])
        self.assertIs(connection.state, State.FAILED)


class TransitionTest(TurnCase):
    def test_it_is_connecting_until_it_is_connected_for_the_first_time(self):
        seen = []
        connection = self.upstream(self.socket(1, during=lambda: seen.append((connection.state, connection.reason))))
        self.assertEqual((connection.state, connection.reason), (State.CONNECTING, Reason.PENDING))
        connection.turn()
        self.assertEqual(seen, [(State.CONNECTED, None)])
        self.assertEqual(self.states, [State.CONNECTED, State.RECONNECTING])

    def test_since_is_when_the_state_began_in_unix_milliseconds(self):
        connection = self.upstream()
        self.assertEqual(connection.since, 5_000_000)
        self.wall_clock.advance(1.5)
        connection.turn()
        self.wall_clock.advance(1)
        connection.turn()
        self.assertEqual(connection.since, 5_001_500)

    def test_closing_is_for_good_and_ends_the_connection(self):
        socket = self.socket(1, during=lambda: connection.close(1001))
        connection = self.upstream(socket)
        connection.run()
        connection.close(1001)
        self.assertEqual(socket.closes, [1001])
        self.assertEqual(self.states, [State.CONNECTED, State.CLOSED])
        self.assertFalse(connection.sweep())

    def test_a_dial_that_ends_after_closing_changes_nothing(self):
        for outcome in (REFUSED, self.socket(0)):
            self.setUp()
            connection = self.upstream()
            connection._dialler.dial = lambda _, outcome=outcome: (connection.close(1001), self.give(outcome))[1]
            connection.run()
            self.assertEqual((connection.state, self.states), (State.CLOSED, [State.CLOSED]))
            self.assertEqual(set(self.outcomes.snapshot().values()), {0})
        self.assertEqual(outcome.closes, [1001])

    @staticmethod
    def give(outcome):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def test_a_sweep_finds_a_connection_whose_thread_has_ended(self):
        socket = self.socket(1, end=SystemExit())
        connection = self.upstream(socket)
        with self.assertRaises(SystemExit):
            connection.turn()
        connection.start = lambda: self.states.append("started")
        self.assertTrue(connection.sweep())
        self.assertEqual(socket.closes, ["cut"])
        self.assertEqual(self.states, [State.CONNECTED, State.RECONNECTING, "started"])

    def test_a_defect_is_logged_and_counts_as_a_failed_attempt(self):
        connection = self.upstream(RuntimeError("defect"), self.socket(1, during=lambda: connection.close(1001)))
        connection.run()
        self.assertEqual(self.waits, [1, 1])
        self.assertEqual(self.states, [State.RECONNECTING, State.CONNECTED, State.CLOSED])
        self.assertIn("ERROR upstream a: an attempt failed", self.log.lines)

    def test_each_change_is_one_line_and_a_failure_that_changes_nothing_is_none(self):
        last = self.socket(1, during=lambda: connection.close(1001))
        connection = self.upstream(*[REFUSED] * 3, self.socket(20), last)
        self.turns(connection, 5)
        self.assertEqual(
            self.log.lines,
            [
                "WARNING upstream a not reached, attempt 1: refused (connection refused)",
                "INFO upstream a connected after 6.0 s and 3 failed attempts",
                "WARNING upstream a lost after 20.0 s: 1006 'gone'",
                "INFO upstream a connected after 0.0 s and 0 failed attempts",
                "INFO upstream a closed",
            ],
        )


class ThreadCase(unittest.TestCase):
    """Upstreams with their threads, in a registry."""

    def setUp(self):
        self.log = LogLines(self, "app.connections")
        self.registry = Registry(inbound_cap=0)
        self.changed = threading.Condition()
        self.states = []
        self.registry.listen(self.note)
        self.outcomes = Tally(OUTCOMES)
        self.addCleanup(lambda: [thread.join(DEADLINE) for thread in self.threads()])
        self.addCleanup(self.registry.close_all)

    def note(self, connection, state):
        with self.changed:
            self.states.append(state)
            self.changed.notify_all()

    def start(self, *urls, timeout=2.0, ping_interval=5.0, **backoff):
        dialler = Dialler(timeout, ping_interval, certifi.where(), Resolver())
        for number, url in enumerate(urls):
            connection = Upstream(f"u{number}", Target.parse(url), dialler, Backoff(**backoff), self.outcomes)
            self.registry.add(connection.id, connection)
            connection.start()
        return connection

    def wait_for(self, *states, within=DEADLINE):
        """Until the connections have been through `states`, and nothing else."""
        with self.changed:
            self.changed.wait_for(lambda: len(self.states) >= len(states), within)
            self.assertEqual(self.states[: len(states)], list(states))

    @staticmethod
    def threads():
        return [thread for thread in threading.enumerate() if thread.name.startswith("upstream-")]


class ReconnectingTest(ThreadCase):
    def test_a_server_that_is_stopped_and_continued_is_lost_and_connected_again(self):
        with process("upstream") as (peer, port):
            self.start(f"ws://127.0.0.1:{port}/", base=0.1, ping_interval=0.3, timeout=0.2)
            self.wait_for(State.CONNECTING, State.CONNECTED)
            peer.send_signal(signal.SIGSTOP)
            self.wait_for(State.CONNECTING, State.CONNECTED, State.RECONNECTING)
            self.assertIn("no answer to a ping", "\n".join(self.log.lines))
            peer.send_signal(signal.SIGCONT)
            self.wait_for(State.CONNECTING, State.CONNECTED, State.RECONNECTING, State.CONNECTED)

    def test_a_server_that_is_killed_is_noticed_without_a_ping(self):
        with process("upstream") as (peer, port):
            self.start(f"ws://127.0.0.1:{port}/", ping_interval=600)
            self.wait_for(State.CONNECTING, State.CONNECTED)
            peer.kill()
            self.wait_for(State.CONNECTING, State.CONNECTED, State.RECONNECTING)

    def test_attempts_are_spaced_as_the_schedule_demands(self):
        times = []

        def refuse(server, sock):
            times.append(time.monotonic())
            read_head(sock)

        with ScriptedServer(refuse) as server:
            self.start(f"ws://127.0.0.1:{server.port}/", base=0.1, cooldown=0, max_attempts=3)
            self.wait_for(State.CONNECTING, State.RECONNECTING, State.FAILED)
            self.registry.close_all()
        self.assertEqual(len(times), 3)
        self.assertGreaterEqual(times[1] - times[0], 0.1)
        self.assertGreaterEqual(times[2] - times[1], 0.2)

    def test_no_line_shows_credentials_or_a_query(self):
        with upstream(lambda server: None) as accepts, reserve_port() as reserved:
            self.start(
                f"ws://secret:secret@127.0.0.1:{accepts}/secret?token=secret",
                f"wss://secret:secret@127.0.0.1:{accepts}/?token=secret",
                f"ws://secret:secret@127.0.0.1:{reserved.getsockname()[1]}/?token=secret",
                base=0.01,
                cooldown=0,
            )
            eventually(lambda: self.registry.facts()["by_state"]["failed"] == 3)
        self.assertGreater(len(self.log.lines), 6)
        self.assertNotIn("secret", "\n".join(self.log.lines) + repr(self.registry.facts()))


class StoppingTest(ThreadCase):
    def test_connected_servers_get_1001(self):
        codes = []

        def handler(server):
            read_all(server)
            codes.append(server.close_code)

        with upstream(handler) as port:
            self.start(*[f"ws://127.0.0.1:{port}/"] * 3)
            eventually(lambda: self.registry.facts()["by_state"]["connected"] == 3)
            self.registry.close_all()
            eventually(lambda: not self.threads() and codes == [1001] * 3)

    def test_a_server_that_does_not_answer_is_cut_off(self):
        with process("upstream") as (peer, port):
            self.start(f"ws://127.0.0.1:{port}/")
            self.wait_for(State.CONNECTING, State.CONNECTED)
            peer.send_signal(signal.SIGSTOP)
            self.registry.close_all(timeout=0.1)
            eventually(lambda: not self.threads())

    def test_stopping_does_not_wait_for_a_backoff(self):
        with reserve_port() as reserved:
            self.start(f"ws://127.0.0.1:{reserved.getsockname()[1]}/", base=500.0)
            self.wait_for(State.CONNECTING, State.RECONNECTING)
        self.registry.close_all()
        eventually(lambda: not self.threads())

    def test_stopping_does_not_wait_for_a_dial(self):
        with ScriptedServer(lambda server, sock: server.ignore(sock)) as server:
            self.start(f"ws://127.0.0.1:{server.port}/", timeout=DEADLINE)
            self.assertTrue(server.wait_for_open(1))
            begin = time.monotonic()
            self.registry.close_all(timeout=DEADLINE)
            self.assertLess(time.monotonic() - begin, 2)


class ScarcityTest(ThreadCase):
    def test_an_upstream_that_got_no_thread_gets_one_at_a_sweep(self):
        with upstream(read_all) as port:
            with mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")):
                self.start(f"ws://127.0.0.1:{port}/")
                Monitor(self.registry).sweep()
            self.assertEqual(self.threads(), [])
            Monitor(self.registry).sweep()
            self.wait_for(State.CONNECTING, State.CONNECTED)
            Monitor(self.registry).sweep()
            self.assertEqual(len(self.threads()), 1)
            self.registry.close_all()

    def test_an_upstream_whose_thread_has_ended_gets_a_new_one_at_a_sweep(self):
        with upstream(read_all) as port:
            with mock.patch("app.connections.dialler.Dialler.dial", side_effect=SystemExit):
                self.start(f"ws://127.0.0.1:{port}/")
                eventually(lambda: not self.threads())
            # A thread leaves the list of threads a moment before it counts as ended.
            eventually(lambda: Monitor(self.registry).sweep() or State.CONNECTED in self.states)
            self.registry.close_all()
