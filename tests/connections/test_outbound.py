import sys
import threading
import time
import unittest

from app.connections.backoff import Backoff
from app.connections.connection import State
from app.connections.deadline import Cancelled
from app.connections.dialler import DialFailed
from app.connections.outbound import Outbound
from app.tally import Tally
from tests.connections.fakes import DEADLINE, FakeSocket, LogLines, ScriptedClock, ScriptedDial
from tests.connections.peers import eventually

LOG = "app.connections.outbound"


class Hesitant(float):
    """A time whose comparison lets every other thread go first."""

    def __lt__(self, other):
        threading.Event().wait(0.0001)
        return float(self) < other


class OutboundCase(unittest.TestCase):
    def setUp(self):
        self.clock = ScriptedClock()
        self.wall_clock = ScriptedClock(5000.0)
        self.tally = Tally()
        self.states = []
        LogLines(self, LOG)

    def outbound(self, *script, jitter=0.0, **backoff):
        self.dial = ScriptedDial(*script)
        outbound = Outbound(
            "a",
            self.dial,
            Backoff(**backoff),
            reconnects=self.tally,
            jitter=lambda: jitter,
            clock=self.clock,
            wall_clock=self.wall_clock,
        )
        outbound.observe(lambda connection, state: self.states.append(state))
        return outbound

    def wait_and_dial(self, outbound):
        """Advance to when it is due; seconds that this took."""
        seconds = outbound.due - self.clock.now
        self.clock.now = outbound.due
        outbound.reconnect()
        return round(seconds, 6)


class TestSchedule(OutboundCase):
    def test_one_that_does_not_answer_is_dialled_at_0_to_4_times_the_base_then_after_a_rest(self):
        outbound = self.outbound(base=2.0, cooldown=100.0)
        with self.assertLogs(LOG, "ERROR") as logs:
            waits = [self.wait_and_dial(outbound) for _ in range(5)]
        self.assertEqual(waits, [0, 2, 4, 6, 8])
        self.assertIs(outbound.state, State.FAILED)
        self.assertEqual(len(logs.records), 1)
        self.assertRegex(logs.output[0], "upstream a: max reconnection attempts reached")
        with self.assertLogs(LOG, "ERROR"):
            waits = [self.wait_and_dial(outbound) for _ in range(5)]
        self.assertEqual(waits, [100, 2, 4, 6, 8])
        self.assertEqual(self.states, [State.RECONNECTING, State.FAILED] * 2)
        self.assertEqual(self.tally.snapshot(), {"failure": 10, "gave_up": 2})

    def test_waits_are_longer_by_at_most_a_fifth(self):
        outbound = self.outbound(jitter=1.0, cooldown=100.0)
        self.assertEqual([self.wait_and_dial(outbound) for _ in range(6)], [0, 1.2, 2.4, 3.6, 4.8, 120])

    def test_a_peer_that_accepts_and_drops_is_dialled_on_the_same_schedule(self):
        sockets = [FakeSocket() for _ in range(6)]
        outbound = self.outbound(*sockets, cooldown=100.0)
        waits = []
        for socket in sockets:
            waits.append(self.wait_and_dial(outbound))
            self.assertIs(outbound.state, State.CONNECTED)
            outbound.lost(socket)
        self.assertEqual(waits, [0, 1, 2, 3, 4, 100])
        self.assertEqual(self.tally.snapshot(), {"success": 6, "gave_up": 1})

    def test_failures_and_early_losses_add_up(self):
        socket = FakeSocket()
        outbound = self.outbound(DialFailed("refused"), socket)
        self.wait_and_dial(outbound)
        self.wait_and_dial(outbound)
        self.assertEqual(outbound.attempts, 1)
        self.clock.advance(9.9)
        outbound.lost(socket)
        self.assertEqual(outbound.attempts, 2)
        self.assertEqual(outbound.due, self.clock.now + 2)

    def test_a_connection_that_held_ten_times_the_base_starts_again_from_zero(self):
        socket = FakeSocket()
        outbound = self.outbound(DialFailed("refused"), DialFailed("refused"), socket)
        for _ in range(3):
            self.wait_and_dial(outbound)
        self.assertEqual(outbound.attempts, 2)
        self.clock.advance(10)
        self.assertEqual(outbound.attempts, 0)
        outbound.lost(socket)
        self.assertEqual((outbound.state, outbound.attempts), (State.RECONNECTING, 0))
        self.assertEqual(outbound.due, self.clock.now)

    def test_without_a_cooldown_it_has_failed_for_good(self):
        outbound = self.outbound(cooldown=0, max_attempts=1)
        outbound.reconnect()
        self.assertIs(outbound.state, State.FAILED)
        self.assertIsNone(outbound.due)
        self.clock.advance(1e9)
        self.assertFalse(outbound.reconnect())
        self.assertEqual(self.dial.calls, 1)


class TestTransitions(OutboundCase):
    def test_it_is_due_from_the_start_and_not_healthy_before_it_is_connected(self):
        outbound = self.outbound(FakeSocket())
        self.assertEqual((outbound.state, outbound.due), (State.CONNECTING, self.clock.now))
        self.assertFalse(outbound.is_healthy())
        self.assertTrue(outbound.reconnect())
        self.assertTrue(outbound.is_healthy())
        self.assertEqual(self.states, [State.CONNECTED])

    def test_who_asks_early_or_for_a_connected_one_gets_nothing(self):
        outbound = self.outbound(DialFailed("refused"), FakeSocket())
        outbound.reconnect()
        self.assertFalse(outbound.reconnect())
        self.clock.advance(1)
        self.assertTrue(outbound.reconnect())
        self.assertFalse(outbound.reconnect())
        self.assertEqual(self.dial.calls, 2)

    def test_of_two_that_begin_to_dial_one_wins(self):
        outbound = self.outbound()
        self.assertTrue(outbound.begin_dial())
        self.assertFalse(outbound.begin_dial())
        outbound.dial_failed("refused")
        self.clock.advance(1)
        self.assertTrue(outbound.begin_dial())

    def test_two_reconnects_of_one_connection_never_run_at_once(self):
        """Sixteen threads reconnect as fast as they can, another loses what they get."""
        running = most = dials = 0
        guard = threading.Lock()
        done = threading.Event()
        outbound = None

        def dial(on_message, on_end, cancelled):
            nonlocal running, most, dials
            with guard:
                running += 1
                dials += 1
                most = max(most, running)
            socket = FakeSocket()
            threading.Event().wait(0.0002)
            with guard:
                running -= 1
            if dials % 3 == 0:
                raise DialFailed("refused")
            return socket

        outbound = Outbound(
            "a", dial, Backoff(base=0.0, max_attempts=3, cooldown=1e-9), clock=lambda: Hesitant(time.monotonic())
        )

        def reconnect():
            while not done.is_set():
                outbound.reconnect()

        def lose():
            while not done.is_set():
                if (socket := outbound._socket) is not None:
                    outbound.lost(socket)

        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1e-5)  # threads change over in the middle of everything
        threads = [threading.Thread(target=reconnect) for _ in range(16)]
        threads.append(threading.Thread(target=lose))
        for thread in threads:
            thread.start()
        eventually(lambda: dials >= 30)
        done.set()
        for thread in threads:
            thread.join(DEADLINE)
        self.assertEqual(most, 1)

    def test_a_loss_is_told_once_and_only_of_the_socket_in_use(self):
        old, new = FakeSocket(), FakeSocket()
        outbound = self.outbound(old, new)
        outbound.reconnect()
        self.assertTrue(outbound.lost(old))
        self.assertFalse(outbound.lost(old))
        self.wait_and_dial(outbound)
        self.assertFalse(outbound.lost(old))
        self.assertIs(outbound.state, State.CONNECTED)

    def test_a_socket_that_ended_before_it_was_taken_over_is_lost_at_once(self):
        socket = FakeSocket()
        socket.alive = False
        outbound = self.outbound(socket)
        outbound.reconnect()
        self.assertEqual(self.states, [State.CONNECTED, State.RECONNECTING])

    def test_the_transport_tells_of_a_loss(self):
        socket = FakeSocket()
        outbound = self.outbound(socket)
        outbound.reconnect()
        self.dial.on_end(socket)
        self.assertIs(outbound.state, State.RECONNECTING)

    def test_a_sweep_notices_what_the_transport_did_not_tell(self):
        socket = FakeSocket()
        outbound = self.outbound(socket)
        outbound.reconnect()
        socket.alive = False
        self.assertFalse(outbound.is_healthy())
        self.assertTrue(outbound.recover())
        self.assertIs(outbound.state, State.RECONNECTING)
        self.assertTrue(outbound.recover())

    def test_closing_is_for_good(self):
        socket = FakeSocket()
        outbound = self.outbound(socket)
        outbound.reconnect()
        self.assertTrue(outbound.close(1001))
        self.assertFalse(outbound.close(1001))
        outbound.finish(0.5)
        self.assertEqual((socket.closes, socket.finishes), ([1001], [0.5]))
        self.dial.on_end(socket)
        self.assertFalse(outbound.reconnect())
        self.assertFalse(outbound.recover())
        self.assertEqual(self.states, [State.CONNECTED, State.CLOSED])

    def test_a_dial_that_succeeds_after_closing_is_undone(self):
        outbound = self.outbound()
        outbound.begin_dial()
        outbound.close()
        socket = FakeSocket()
        self.assertFalse(outbound.dial_succeeded(socket))
        self.assertEqual((socket.closes, socket.finishes), ([1001], [0]))
        self.assertIs(outbound.state, State.CLOSED)

    def test_a_dial_that_fails_after_closing_changes_nothing(self):
        outbound = self.outbound()
        outbound.begin_dial()
        outbound.close()
        self.assertFalse(outbound.dial_failed("refused"))
        outbound.dial_cancelled()
        self.assertEqual((outbound.state, outbound.due), (State.CLOSED, None))

    def test_a_cancelled_dial_counts_as_none(self):
        outbound = self.outbound(Cancelled())
        self.assertFalse(outbound.reconnect())
        self.assertEqual((outbound.attempts, outbound.due), (0, self.clock.now))
        self.assertFalse(outbound.reconnect(cancelled=lambda: True))
        self.assertEqual(self.tally.snapshot(), {})

    def test_a_defect_in_dialling_is_a_failed_attempt(self):
        outbound = self.outbound(RuntimeError("defect"))
        with self.assertLogs(LOG, "ERROR"):
            outbound.reconnect()
        self.assertEqual((outbound.state, outbound.attempts), (State.RECONNECTING, 1))

    def test_since_is_when_the_state_began_in_unix_milliseconds(self):
        outbound = self.outbound(DialFailed("refused"))
        self.assertEqual(outbound.since, 5_000_000)
        self.wall_clock.advance(1.5)
        outbound.reconnect()
        self.assertEqual(outbound.since, 5_001_500)
        self.wall_clock.advance(1)
        self.wait_and_dial(outbound)  # still reconnecting
        self.assertEqual(outbound.since, 5_001_500)

    def test_messages_are_counted(self):
        outbound = self.outbound(FakeSocket())
        outbound.reconnect()
        self.dial.on_message("x")
        self.assertEqual(outbound.messages, 1)


class TestLog(OutboundCase):
    def test_each_transition_is_one_line_and_a_failure_that_changes_nothing_is_none(self):
        sockets = [FakeSocket(), FakeSocket()]
        outbound = self.outbound(*[DialFailed("refused")] * 3, sockets[0], sockets[1])
        with self.assertLogs(LOG, "INFO") as logs:
            for _ in range(4):
                self.wait_and_dial(outbound)
            self.clock.advance(20)
            outbound.lost(sockets[0])
            outbound.reconnect()
            outbound.close()
        lines = [f"{record.levelname} {record.getMessage()}" for record in logs.records]
        self.assertEqual(
            lines,
            [
                "WARNING upstream a not reached, attempt 1: refused",
                "INFO upstream a connected after 6.0 s and 3 failed attempts",
                "WARNING upstream a lost after 20.0 s: 1006 'gone'",
                "INFO upstream a connected after 0.0 s and 0 failed attempts",
                "INFO upstream a closed",
            ],
        )


if __name__ == "__main__":
    unittest.main()
