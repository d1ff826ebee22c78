"""A client's connection from the handshake to its end, with real clients."""

import contextlib
import itertools
import os
import signal
import socket
import threading
import time
import unittest
from unittest import mock

from simple_websocket import Server

from app.connections.client import Client, accept, serve
from app.connections.connection import Direction, State
from app.connections.handshake import SOCKET_KEY, hold_answer, no_thread
from app.connections.registry import Registry
from tests.fakes import DEADLINE, LogLines
from tests.peers.service import eventually
from tests.peers.websocket import CLOSE, HANDSHAKE, PING, TEXT, Host, RawClient, frame, process


class ClientCase(unittest.TestCase):
    """A WSGI application that serves each connection by `self.handler(websocket)`, which a test may set."""

    ping_interval = 5.0

    def setUp(self):
        self.log = LogLines(self, "app.connections")
        self.registry = Registry(inbound_cap=100)
        self.numbers = itertools.count()
        self.done = threading.Semaphore(0)
        self.handler = lambda websocket: websocket.receive_all()
        self.early = b""
        self.host = self.enterContext(Host(self.app))

    def app(self, environ, start_response):
        hold_answer(environ)
        websocket = accept(Server(environ, thread_class=no_thread), self.early, self.ping_interval)
        serve(self.registry, f"ws-{next(self.numbers)}", websocket, lambda: self.handler(websocket))
        self.done.release()
        raise StopIteration

    def connect(self, **options):
        client = self.enterContext(RawClient(self.host.port, **options))
        self.assertEqual(client.status, 101)
        return client

    def connection(self):
        """The one that is in the registry."""
        return eventually(lambda: list(self.registry.snapshot().values()))[0]

    def assert_over(self, within=DEADLINE):
        self.assertTrue(self.done.acquire(timeout=within))
        self.assertEqual(self.registry.snapshot(), {})


class AcceptTest(ClientCase):
    def test_the_original_socket_stays_the_servers_and_has_ended_when_it_is_over(self):
        seen = []

        def app(environ, start_response):
            original = environ[SOCKET_KEY]
            with contextlib.suppress(StopIteration):
                self.app(environ, start_response)
            seen.append(original.recv(1))
            raise StopIteration

        self.host.app = app
        client = self.connect(early=frame(CLOSE, b"\x03\xe8"))
        self.assertEqual(client.file.read(4), b"\x88\x02\x03\xe8")
        self.assert_over()
        eventually(lambda: seen == [b""])

    def test_bytes_that_the_server_has_read_with_the_head_come_first(self):
        received = []

        def receive_two(websocket):
            while len(received) < 2:
                if (text := websocket.receive()) is not None:
                    received.append(text)

        self.handler = receive_two
        self.early = frame(TEXT, b"one")[:4]
        self.connect(early=frame(TEXT, b"one")[4:] + frame(TEXT, b"two"))
        self.assert_over()
        self.assertEqual(received, ["one", "two"])

    def test_without_a_descriptor_nothing_is_sent_and_nothing_is_left_open(self):
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as peer:
            ours, _ = server.accept()
            with ours, mock.patch("os.pipe", side_effect=OSError(24, "Too many open files")):
                handshake = mock.Mock(answer=b"HTTP/1.1 101 ")
                handshake.sock.sock = ours
                before = len(os.listdir("/proc/self/fd"))
                with self.assertRaises(OSError):
                    accept(handshake, b"", 1.0)
                self.assertEqual(len(os.listdir("/proc/self/fd")), before)
                ours.send(b"HTTP/1.1 503 ")
            self.assertEqual(peer.recv(100), b"HTTP/1.1 503 ")

    def test_a_client_that_cannot_be_answered_has_ended(self):
        with mock.patch("app.connections.wire.Wire.send", side_effect=BrokenPipeError):
            with socket.create_connection(("127.0.0.1", self.host.port)) as sock:
                sock.sendall(HANDSHAKE)
                self.assertEqual(sock.recv(1), b"")
                self.assert_over()
        self.assertRegex(self.log.lines[-1], "^WARNING client ws-0 closed after .*: 1006 ")


class RegisteredTest(ClientCase):
    def test_it_is_in_the_registry_while_it_lasts_and_listeners_are_called(self):
        seen = []
        self.registry.listen(lambda each, state: seen.append((each.direction, state)))
        client = self.connect()
        connection = self.connection()
        self.assertTrue(connection.sweep())
        self.assertEqual((connection.id, connection.state, connection.attempts), ("ws-0", State.CONNECTED, 0))
        client.sock.sendall(frame(CLOSE, b"\x03\xe9away\nnow"))
        self.assertEqual(client.close_code(), 1001)
        self.assert_over()
        self.assertEqual(seen, [(Direction.INBOUND, State.CONNECTED), (Direction.INBOUND, None)])
        self.assertEqual(self.log.lines[0], "INFO client ws-0 connected")
        self.assertRegex(self.log.lines[1], r"^INFO client ws-0 closed after \d+\.\d s: 1001 'away\\nnow'$")
        self.assertEqual(len(self.log.lines), 2)

    def test_one_that_goes_without_a_word_is_a_warning(self):
        self.connect().sock.shutdown(socket.SHUT_WR)
        self.assert_over()
        self.assertRegex(self.log.lines[1], "^WARNING client ws-0 closed .*: 1006 ")

    def test_one_whose_thread_has_ended_is_over_at_a_sweep(self):
        made = []
        thread = threading.Thread(target=lambda: made.append(Client("late", mock.Mock())))
        thread.start()
        thread.join(DEADLINE)
        self.assertFalse(made[0].sweep())

    def test_one_that_comes_while_the_registry_closes_gets_1001(self):
        self.registry.close_all()
        self.assertEqual(self.connect().close_code(), 1001)
        self.assert_over()


class ClosingTest(ClientCase):
    def test_all_get_1001_and_the_words(self):
        clients = [self.connect() for _ in range(5)]
        eventually(lambda: len(self.registry.snapshot()) == 5)
        answers = []
        thread = threading.Thread(target=lambda: answers.extend(list(client.frames())[-1] for client in clients))
        thread.start()
        self.registry.close_all(1001, "leaving")
        thread.join(DEADLINE)
        self.assertEqual(answers, [(CLOSE, b"\x03\xe9leaving")] * 5)

    def test_clients_that_do_not_answer_are_cut_in_one_budget(self):
        clients = [self.connect() for _ in range(5)]
        eventually(lambda: len(self.registry.snapshot()) == 5)
        begin = time.monotonic()
        self.registry.close_all(1001, timeout=0.2)
        self.assertLess(time.monotonic() - begin, 1)
        self.assertEqual([client.close_code() for client in clients], [1001] * 5)

    def test_a_handler_whose_client_does_not_read_is_not_waited_for(self):
        self.handler = lambda websocket: websocket.send("x" * 30_000_000)
        self.connect(receive_buffer=4096).sock.recv(1)
        begin = time.monotonic()
        self.registry.close_all(1001, timeout=0.1)
        self.assertTrue(self.done.acquire(timeout=DEADLINE))
        self.assertLess(time.monotonic() - begin, 3)

    def test_a_flood_does_not_keep_a_closed_connection_open(self):
        self.handler = lambda websocket: None
        client = self.connect()

        def flood():
            with contextlib.suppress(OSError):
                while True:
                    client.sock.sendall(frame(TEXT, b"x" * 100) * 100)

        flooder = threading.Thread(target=flood)
        flooder.start()
        self.assert_over()
        flooder.join(DEADLINE)
        self.assertFalse(flooder.is_alive())


class DeadPeerTest(ClientCase):
    ping_interval = 0.3

    def assert_noticed(self, within):
        begin = time.monotonic()
        self.assert_over()
        self.assertLess(time.monotonic() - begin, within + 1)

    def test_a_client_that_answers_pings_stays_and_one_that_is_stopped_is_noticed(self):
        with process("client", self.host.port) as (peer, _):
            self.assertFalse(self.done.acquire(timeout=3.5 * self.ping_interval))
            peer.send_signal(signal.SIGSTOP)
            self.assert_noticed(2 * self.ping_interval)
        self.assertIn("no answer to a ping", self.log.lines[-1])

    def test_a_client_that_is_killed_is_noticed_without_a_ping(self):
        self.ping_interval = 600.0
        with process("client", self.host.port) as (peer, _):
            self.connection()
            peer.kill()
            self.assert_noticed(0)

    def test_a_client_that_stops_reading_while_we_send_is_noticed(self):
        def send(websocket):
            while True:
                websocket.send("x" * 100_000)

        self.handler = send
        with process("client", self.host.port) as (peer, _):
            self.connection()
            peer.send_signal(signal.SIGSTOP)
            self.assert_noticed(2 * self.ping_interval)

    def test_a_client_that_sends_but_never_reads_is_noticed(self):
        client = self.connect()
        stop = threading.Event()

        def talk():
            with contextlib.suppress(OSError):
                while not stop.wait(0.02):
                    client.sock.sendall(frame(PING))

        talker = threading.Thread(target=talk)
        talker.start()
        self.assert_noticed(2 * self.ping_interval)
        stop.set()
        talker.join(DEADLINE)


class CycleTest(ClientCase):
    def test_clients_that_come_and_go_leave_no_descriptor(self):
        list(self.connect(early=frame(CLOSE)).frames())
        self.assert_over()
        before = len(os.listdir("/proc/self/fd"))
        for number in range(50):
            with RawClient(self.host.port, frame(CLOSE) if number % 2 else b""):
                pass
            self.assertTrue(self.done.acquire(timeout=DEADLINE))
        eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)
