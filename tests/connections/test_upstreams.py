import contextlib
import itertools
import signal
import socket
import threading
import time
import unittest

from websockets.exceptions import ConnectionClosed

from app.connections.backoff import Backoff
from app.connections.connection import State
from app.connections.dialler import Dialler
from app.connections.monitor import Monitor
from app.connections.registry import Registry
from app.connections.resolver import Resolver
from app.connections.upstreams import create_upstreams
from app.tally import Tally
from tests.connections.fakes import DEADLINE, LogLines
from tests.connections.peers import (
    eventually,
    http_answer,
    mute,
    process,
    raw_server,
    read_all,
    threads_named,
    upstream,
)


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


class UpstreamsCase(unittest.TestCase):
    """Registry, monitor, dialler and real peers together."""

    def setUp(self):
        self.log = LogLines(self, "app.connections")
        self.registry = Registry(inbound_cap=0)
        self.monitor = Monitor(self.registry)
        self.tally = Tally()
        self.changed = threading.Condition()
        self.states = []
        self.registry.subscribe(self.observe)
        self.addCleanup(self.monitor.stop)
        self.addCleanup(self.registry.close_all)

    def observe(self, connection, state):
        with self.changed:
            self.states.append(state)
            self.changed.notify_all()

    def wait_for(self, *states, within=DEADLINE):
        """Until the connections have been through `states`, and nothing else."""
        with self.changed:
            self.changed.wait_for(lambda: len(self.states) >= len(states), within)
            self.assertEqual(self.states[: len(states)], list(states))

    def start(self, *urls, on_message=None, timeout=2.0, ping_interval=5.0, resolver=None, **backoff):
        dialler = Dialler(timeout=timeout, ping_interval=ping_interval, resolver=resolver)
        named = [(f"u{number}", url) for number, url in enumerate(urls)]
        upstreams = create_upstreams(named, dialler, Backoff(**backoff), reconnects=self.tally, on_message=on_message)
        for connection in upstreams:
            self.registry.add(connection.id, connection)
        self.monitor.start()
        return upstreams[0] if len(upstreams) == 1 else upstreams


class TestCreating(unittest.TestCase):
    def test_a_bad_url_is_told_by_the_upstreams_name_only(self):
        with self.assertRaises(ValueError) as raised:
            create_upstreams([("feed", "http://user:secret@a/")], Dialler(timeout=1, ping_interval=1), Backoff())
        self.assertIn("upstream feed", str(raised.exception))
        self.assertNotIn("secret", str(raised.exception))


class TestReconnecting(UpstreamsCase):
    def assert_schedule(self, times, base):
        """0, 1, 2, 3, 4 x base apart, plus a fifth and what a busy machine adds."""
        waits = [after - before for before, after in itertools.pairwise(times)]
        for number, wait in enumerate(waits, 1):
            self.assertGreaterEqual(wait, number * base * 0.98)
            self.assertLess(wait, number * base * 1.2 + 0.25)

    def test_one_that_refuses_is_dialled_on_schedule_then_failed_then_again_after_rest(self):
        with raw_server(http_answer("503 Service Unavailable")) as (port, times):
            self.start(f"ws://127.0.0.1:{port}/", base=0.1, cooldown=0.5)
            self.wait_for(State.CONNECTING, State.RECONNECTING, State.FAILED, State.RECONNECTING)
            eventually(lambda: len(times) >= 6)
        self.assert_schedule(times[:5], 0.1)
        self.assertTrue(0.48 < times[5] - times[4] < 0.6 + 0.25)
        errors = [line for line in self.log.lines if line.startswith("ERROR")]
        self.assertEqual(
            errors, ["ERROR upstream u0: max reconnection attempts reached (5, last: http_status 503), next in 0.5 s"]
        )
        self.assertEqual(self.tally.snapshot()["gave_up"], 1)

    def test_one_that_accepts_and_drops_is_dialled_on_the_same_schedule(self):
        times = []

        def handler(websocket):
            times.append(time.monotonic())

        with upstream(handler) as port:
            self.start(f"ws://127.0.0.1:{port}/", base=0.1, cooldown=0)
            eventually(lambda: self.states and self.states[-1] is State.FAILED)
        self.assertEqual(len(times), 5)
        self.assert_schedule(times, 0.1)
        self.assertEqual(self.tally.snapshot(), {"success": 5, "gave_up": 1})

    def test_one_that_is_killed_and_comes_back_is_connected_again(self):
        with process("upstream") as peer:
            port = int(peer.said)
            connection = self.start(f"ws://127.0.0.1:{port}/", base=0.1)
            self.wait_for(State.CONNECTING, State.CONNECTED)
            peer.kill()
            self.wait_for(State.CONNECTING, State.CONNECTED, State.RECONNECTING, within=2)
            peer.wait(DEADLINE)  # its port is free
            with upstream(read_all, port=port):
                self.wait_for(State.CONNECTING, State.CONNECTED, State.RECONNECTING, State.CONNECTED, within=3)
                self.assertTrue(connection.is_healthy())
                self.registry.close_all()

    def test_one_that_is_stopped_is_redialled_within_two_ping_intervals(self):
        with process("upstream") as peer:
            self.start(f"ws://127.0.0.1:{peer.said}/", base=0.1, ping_interval=0.3, timeout=0.2)
            self.wait_for(State.CONNECTING, State.CONNECTED)
            peer.send_signal(signal.SIGSTOP)
            self.wait_for(State.CONNECTING, State.CONNECTED, State.RECONNECTING, within=1.2)
            peer.send_signal(signal.SIGCONT)
            self.wait_for(State.CONNECTING, State.CONNECTED, State.RECONNECTING, State.CONNECTED)
            self.registry.close_all()

    def test_one_that_held_long_enough_is_redialled_at_once(self):
        def handler(websocket):
            with contextlib.suppress(ConnectionClosed):
                websocket.recv()

        with upstream(handler) as port:
            connection = self.start(f"ws://127.0.0.1:{port}/", base=0.05)
            self.wait_for(State.CONNECTING, State.CONNECTED)
            eventually(lambda: time.time() * 1000 - connection.since > 510)
            begin = time.monotonic()
            connection._socket.send("end")
            self.wait_for(State.CONNECTING, State.CONNECTED, State.RECONNECTING, State.CONNECTED)
            self.assertLess(time.monotonic() - begin, 0.5)
            self.assertEqual(connection.attempts, 0)
            self.registry.close_all()

    def test_a_thousand_lost_upstreams_do_not_mean_a_thousand_threads(self):
        port = closed_port()
        before, most = threading.active_count(), 0
        self.start(*[f"ws://127.0.0.1:{port}/"] * 1000, base=0.1, cooldown=0, max_attempts=2)

        def all_failed():
            nonlocal most
            most = max(most, threading.active_count())
            return self.registry.facts()["by_state"]["failed"] == 1000

        eventually(all_failed, within=30)
        self.assertLessEqual(most, before + 5)
        self.assertEqual(self.tally.snapshot(), {"failure": 2000, "gave_up": 1000})


class TestMessages(UpstreamsCase):
    def test_they_are_handed_to_the_handler_and_counted(self):
        seen, done = [], threading.Event()

        def on_message(name, message):
            seen.append((name, message))
            if len(seen) == 2:
                done.set()

        def handler(websocket):
            websocket.send("one")
            websocket.send(b"two")
            read_all(websocket)

        with upstream(handler) as port:
            connection = self.start(f"ws://127.0.0.1:{port}/", on_message=on_message)
            self.assertTrue(done.wait(DEADLINE))
            self.registry.close_all()
        self.assertEqual(seen, [("u0", "one"), ("u0", b"two")])
        self.assertEqual(connection.messages, 2)

    @staticmethod
    def fifty_messages(websocket):
        for _ in range(50):
            websocket.send("x" * 10_000)
        read_all(websocket)

    def test_without_a_handler_they_are_drained_and_counted(self):
        with upstream(self.fifty_messages) as port:
            connection = self.start(f"ws://127.0.0.1:{port}/")
            eventually(lambda: connection.messages == 50 and connection.is_healthy())
            self.registry.close_all()

    def test_a_handler_that_raises_is_logged_and_harmless(self):
        def bad(name, message):
            raise RuntimeError("handler")

        with upstream(self.fifty_messages) as port:
            connection = self.start(f"ws://127.0.0.1:{port}/", on_message=bad)
            eventually(lambda: connection.messages == 50 and connection.is_healthy())
            self.registry.close_all()
        self.assertIn("ERROR upstream u0: the message handler failed", self.log.lines)


class TestLeaving(UpstreamsCase):
    def assert_stops_promptly(self, monitor_first):
        begin = time.monotonic()
        if monitor_first:
            self.monitor.stop()
            self.registry.close_all()
        else:
            self.registry.close_all()
            self.monitor.stop()
        self.assertLess(time.monotonic() - begin, 1)
        self.assertEqual(threads_named("monitor", "dial-", "upstream-"), [])

    def test_stopping_is_prompt_in_the_middle_of_dials_of_every_kind(self):
        release = threading.Event()
        self.addCleanup(lambda: eventually(lambda: not threads_named("resolve")))
        self.addCleanup(release.set)
        real = socket.getaddrinfo

        def getaddrinfo(host, *arguments, **options):
            if host == "hanging" and not options.get("flags"):
                release.wait(DEADLINE)
            return real(host, *arguments, **options)

        for monitor_first in (True, False):
            self.registry, self.states = Registry(inbound_cap=0), []
            self.registry.subscribe(self.observe)
            self.monitor = Monitor(self.registry)
            with self.subTest(monitor_first=monitor_first), raw_server(mute) as (port, times):
                self.start(
                    f"ws://127.0.0.1:{port}/",
                    f"wss://127.0.0.1:{port}/",
                    "ws://hanging/",
                    f"ws://127.0.0.1:{closed_port()}/",
                    base=5,
                    timeout=30,
                    resolver=Resolver(getaddrinfo),
                )
                eventually(lambda: len(times) == 2 and threads_named("resolve"))
                self.assert_stops_promptly(monitor_first)

    def test_connected_ones_are_told_1001(self):
        codes = []

        def handler(websocket):
            read_all(websocket)
            codes.append(websocket.close_code)

        with upstream(handler) as port:
            self.start(*[f"ws://127.0.0.1:{port}/"] * 3)
            self.wait_for(*[State.CONNECTING] * 3)
            eventually(lambda: self.registry.facts()["by_state"]["connected"] == 3)
            self.assert_stops_promptly(monitor_first=False)
            eventually(lambda: len(codes) == 3)
        self.assertEqual(codes, [1001] * 3)


class TestSecrets(UpstreamsCase):
    def test_no_line_shows_credentials_or_a_query(self):
        with upstream(lambda websocket: None) as accepts, raw_server(http_answer("403 secret")) as (refuses, _):
            self.start(
                f"ws://secret:secret@127.0.0.1:{accepts}/secret?token=secret",
                f"ws://secret:secret@127.0.0.1:{refuses}/?token=secret",
                f"wss://secret:secret@127.0.0.1:{accepts}/?token=secret",
                f"ws://secret:secret@127.0.0.1:{closed_port()}/?token=secret",
                base=0.01,
                cooldown=0,
            )
            eventually(lambda: self.registry.facts()["by_state"]["failed"] == 4)
        self.assertGreater(len(self.log.lines), 8)
        self.assertNotIn("secret", "\n".join(self.log.lines))
        self.assertNotIn("secret", repr(self.registry.facts()))


if __name__ == "__main__":
    unittest.main()
