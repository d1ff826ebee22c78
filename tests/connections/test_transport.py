import signal
import threading
import time
import unittest

from simple_websocket import ConnectionClosed

from app.connections.dialler import Dialler
from app.connections.target import Target
from tests.connections.fakes import DEADLINE
from tests.connections.peers import Certificate, eventually, process, read_all, resident_bytes, threads_named, upstream


class TransportCase(unittest.TestCase):
    """What both directions share, seen from the side that dials; test_inbound is the other."""

    def setUp(self):
        self.ended = threading.Event()
        self.messages = []
        self.received = threading.Semaphore(0)

    def on_message(self, message):
        self.messages.append(message)
        self.received.release()

    def dial(self, port, ping_interval=5.0, on_message=None, keep_messages=True, scheme="ws", **options):
        dialler = Dialler(timeout=DEADLINE, ping_interval=ping_interval, **options)
        websocket = dialler.dial(
            Target.parse(f"{scheme}://127.0.0.1:{port}/"),
            name="upstream-test",
            keep_messages=keep_messages,
            on_message=on_message or self.on_message,
            on_end=lambda websocket: self.ended.set(),
            cancelled=lambda: False,
        )
        self.addCleanup(websocket.finish, 1)
        self.addCleanup(websocket.close)
        return websocket


class TestClosing(TransportCase):
    def test_a_close_frame_is_answered_and_its_code_and_words_are_kept(self):
        codes = []

        def handler(websocket):
            websocket.close(4001, "enough\n")
            codes.append((websocket.close_code, websocket.close_reason))

        with upstream(handler) as port:
            websocket = self.dial(port)
            self.assertTrue(self.ended.wait(DEADLINE))
            eventually(lambda: codes)
        self.assertEqual(codes, [(4001, "enough\n")])
        self.assertEqual(websocket.ending(), r"4001 'enough\n'")
        self.assertFalse(websocket.is_alive())

    def test_our_close_frame_is_waited_for_until_it_is_answered(self):
        codes = []

        def handler(websocket):
            read_all(websocket)
            codes.append(websocket.close_code)

        with upstream(handler) as port:
            websocket = self.dial(port)
            self.assertEqual([websocket.close(1001), websocket.close(1001)], [True, False])
            websocket.finish()
            self.assertFalse(websocket.thread.is_alive())
            eventually(lambda: codes)
        self.assertEqual(codes, [1001])

    def test_who_waits_in_receive_is_woken(self):
        outcome = []

        def wait():
            try:
                websocket.receive()
            except ConnectionClosed as closed:
                outcome.append(int(closed.reason))

        with upstream(read_all) as port:
            websocket = self.dial(port)
            thread = threading.Thread(target=wait)
            thread.start()
            websocket.close(1001)
            thread.join(DEADLINE)
        self.assertEqual(outcome, [1001])

    def test_finishing_from_a_callback_does_not_wait_for_itself(self):
        done = threading.Event()

        def on_message(message):
            websocket.close()
            websocket.finish()
            done.set()

        with upstream(lambda server: (server.recv(), server.send("x"), read_all(server))) as port:
            websocket = self.dial(port, on_message=on_message)
            websocket.send("go")
            self.assertTrue(done.wait(DEADLINE))
            self.assertTrue(self.ended.wait(DEADLINE))

    def test_a_message_too_big_to_keep_ends_it_with_1009_and_one_not_kept_does_not(self):
        def handler(websocket):
            websocket.send("x" * 5000)
            read_all(websocket)
            codes.append(websocket.close_code)

        for keep, code in ((True, 1009), (False, 1000)):
            codes = []
            with self.subTest(keep=keep), upstream(handler) as port:
                websocket = self.dial(port, keep_messages=keep, max_message_size=4000)
                if not keep:
                    self.assertTrue(self.received.acquire(timeout=DEADLINE))
                    websocket.close()
                eventually(lambda: codes)
            self.assertEqual(codes, [code])
        self.assertEqual(self.messages, [""])


class TestDeadPeers(TransportCase):
    def test_an_upstream_that_is_stopped_is_noticed_within_two_ping_intervals(self):
        with process("upstream") as peer:
            websocket = self.dial(int(peer.said), ping_interval=0.3)
            peer.send_signal(signal.SIGSTOP)
            begin = time.monotonic()
            self.assertTrue(self.ended.wait(DEADLINE))
            self.assertLess(time.monotonic() - begin, 1.1)
        self.assertEqual(websocket.ending(), "1008 'no answer to a ping'")

    def test_so_is_one_that_stops_reading_while_we_send(self):
        with process("upstream") as peer:
            websocket = self.dial(int(peer.said), ping_interval=0.3)
            peer.send_signal(signal.SIGSTOP)
            begin = time.monotonic()
            with self.assertRaises(ConnectionClosed):
                while True:
                    websocket.send("x" * 100_000)
            self.assertTrue(self.ended.wait(DEADLINE))
            self.assertLess(time.monotonic() - begin, 1.1)

    def test_one_that_is_killed_is_noticed_at_once(self):
        with process("upstream") as peer:
            websocket = self.dial(int(peer.said), ping_interval=60)
            peer.kill()
            self.assertTrue(self.ended.wait(2))
        self.assertEqual(int(websocket.close_reason), 1006)

    def test_one_that_is_busy_sending_is_not_taken_for_dead(self):
        """Its pong stands behind its messages, and each takes us long."""

        def handler(websocket):
            for _ in range(20):
                websocket.send("x" * 200_000)
            read_all(websocket)

        def slow(message):
            threading.Event().wait(0.05)
            self.on_message(message)

        with upstream(handler) as port:
            websocket = self.dial(port, ping_interval=0.1, on_message=slow)
            for _ in range(20):
                self.assertTrue(self.received.acquire(timeout=DEADLINE))
            self.assertTrue(websocket.is_alive())

    def test_with_tls_too(self):
        certificate = Certificate()
        self.addCleanup(certificate.close)
        with upstream(read_all, tls=certificate.server_context) as port:
            websocket = self.dial(port, ping_interval=0.1, scheme="wss", ca_bundle=certificate.path)
            self.assertFalse(self.ended.wait(0.5))
            websocket.send("x" * 500_000)
        self.assertTrue(self.ended.wait(DEADLINE))
        self.assertEqual(threads_named("upstream-"), [])


class TestFlood(TransportCase):
    def test_what_is_not_kept_does_not_grow(self):
        def handler(websocket):
            for _ in range(100):
                websocket.send("x" * 100_000)
            read_all(websocket)

        with upstream(handler) as port:
            before = resident_bytes()
            self.dial(port, keep_messages=False)
            for _ in range(100):
                self.assertTrue(self.received.acquire(timeout=DEADLINE))
            self.assertLess(resident_bytes() - before, 5_000_000)
        self.assertEqual(set(self.messages), {""})


if __name__ == "__main__":
    unittest.main()
