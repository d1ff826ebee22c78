"""What a peer, or a machine without threads, can do to the client, and how the client ends."""

import contextlib
import os
import queue
import threading
import time
import unittest
import unittest.mock

from app.checks.mongodb_client import MOST_SERVERS
from app.net.reason import Reason
from tests.checks.mongodb_asking import MongoTest
from tests.fakes import ScriptedClock
from tests.peers.mongo import Script
from tests.peers.tcp_server import DEADLINE, other_threads


class ScarcityTest(MongoTest):
    @contextlib.contextmanager
    def no_thread_for(self, name):
        """Threads of this name do not start; the errors that other threads end with are collected."""
        start = threading.Thread.start

        def refuse(thread):
            if thread.name == name:
                raise RuntimeError("can't start new thread")
            start(thread)

        errors = queue.SimpleQueue()
        with (
            unittest.mock.patch.object(threading.Thread, "start", refuse),
            unittest.mock.patch("threading.excepthook", lambda ended: errors.put(ended.exc_value)),
        ):
            yield errors

    def test_the_check_after_one_without_threads_connects(self):
        for name in ("pymongo_server_monitor_thread", "pymongo_kill_cursors_thread"):
            with self.subTest(name):
                server = self.play(Script.PRIMARY)
                asking = self.asking(f"mongodb://127.0.0.1:{self.port_of_nobody()},{server.address}/?replicaSet=rs")
                with self.no_thread_for(name):
                    self.assert_reason(asking, Reason.ERROR)
                self.assert_reason(asking, None)

    def test_a_monitor_that_ended_is_replaced_though_its_server_still_answers_pings(self):
        server = self.play(Script.PRIMARY)
        time = ScriptedClock()
        asking = self.asking(server.uri, timeout=1.0, clock=time)
        with self.no_thread_for("pymongo_server_rtt_thread") as errors:
            self.assert_reason(asking, None)
            self.assertIsInstance(errors.get(timeout=DEADLINE), RuntimeError)
        server.script = Script.SECONDARY
        self.assert_reason(asking, None)
        time.advance(3.1)
        self.assertEqual(asking.ask_until(Reason.NO_PRIMARY)[-1], Reason.NO_PRIMARY)


class ClosingTest(MongoTest):
    def test_ending_sessions_takes_no_longer_than_a_moment(self):
        for script in (Script.MUTE, None):
            with self.subTest(script):
                server = self.play(Script.PRIMARY)
                asking = self.asking(server.uri, timeout=3.0)
                self.assert_reason(asking, None)
                if script is None:
                    server.refuse()
                    self.assert_reason(asking, Reason.REFUSED)
                else:
                    server.script = script
                began = time.monotonic()
                asking.check.close()
                self.assertLess(time.monotonic() - began, 1.0)

    def test_a_server_that_answers_is_told_that_the_session_ends(self):
        server = self.play(Script.PRIMARY)
        asking = self.asking(server.uri)
        self.assert_reason(asking, None)
        asking.check.close()
        self.assertIn("endSessions", server.commands)


class GrowthTest(MongoTest):
    def setUp(self):
        self.others = set(threading.enumerate())  # of clients that were closed in other tests

    def monitors(self):
        """How many monitors run for this test."""
        return [each.name for each in set(threading.enumerate()) - self.others].count("pymongo_server_monitor_thread")

    def hosts(self, server, count, net=0):
        """The server itself and others, `count` in total."""
        return [server.address, *(f"127.1.{net}.{n}:1" for n in range(1, count))]

    def test_a_replica_set_of_fifty_is_connected_and_a_larger_one_gets_no_threads(self):
        server = self.play(Script.PRIMARY)
        server.play(Script.PRIMARY, hosts=self.hosts(server, MOST_SERVERS))
        asking = self.asking(server.uri)
        self.assert_reason(asking, None)
        self.assertEqual(self.monitors(), MOST_SERVERS)
        server.play(Script.PRIMARY, hosts=self.hosts(server, MOST_SERVERS + 1))
        self.assertEqual(asking.ask_until(Reason.PROTOCOL)[-1], Reason.PROTOCOL)
        end = time.monotonic() + DEADLINE
        while self.monitors() >= 10 and time.monotonic() < end:  # those of the client that was closed
            self.assert_reason(asking, Reason.PROTOCOL)
        for _ in range(3):
            self.assert_reason(asking, Reason.PROTOCOL)
            self.assertLess(self.monitors(), 10)

    def test_members_may_be_renamed_often_but_not_a_hundred_between_two_checks(self):
        server = self.play(Script.PRIMARY)
        asking = self.asking(server.uri)

        def rename(net):
            pushes = server.pushes
            server.play(Script.PRIMARY, hosts=self.hosts(server, 15, net))
            server.wait_for(lambda: server.pushes > pushes, 0.5)

        self.assert_reason(asking, None)
        for net in range(9):
            rename(net)
            if net % 3 == 2:
                self.assert_reason(asking, None)
        for net in range(9, 30):
            if server.wait_for_open(0, timeout=0):
                break
            rename(net)
        self.assertTrue(server.wait_for_open(0))

    def test_a_uri_with_more_than_fifty_servers_is_not_dialled(self):
        server = self.play()
        self.assert_reason(self.asking(f"mongodb://{','.join(self.hosts(server, MOST_SERVERS + 1))}"), Reason.PROTOCOL)
        self.assertEqual(server.connections, 0)

    def test_a_long_answer_is_not_read(self):
        server = self.play(Script.PRIMARY, padding=b"\0" * 300_000)
        self.assert_reason(self.asking(server.uri), Reason.PROTOCOL)

    @unittest.mock.patch("app.checks.mongodb_client.MOST_HEARTBEATS_A_SECOND", 20)
    def test_answers_without_end_are_given_up(self):
        server = self.play(Script.FLOOD)
        asking = self.asking(server.uri)
        self.assertEqual(asking.ask_until(Reason.PROTOCOL)[-1], Reason.PROTOCOL)

    @unittest.mock.patch("pymongo.common.MIN_HEARTBEAT_INTERVAL", 0.01)
    @unittest.mock.patch("app.checks.mongodb.SELECTION_SECONDS", 0.02)
    @unittest.mock.patch("app.checks.mongodb.AFTER_LOSS_SECONDS", 0.02)
    def test_a_hundred_faults_leave_no_thread_and_no_descriptor(self):
        """With the driver's half seconds and ours made short: they are what takes the time of a fault."""
        server = self.play(streams=False)
        asking = self.asking(server.uri, timeout=0.05)
        self.assertEqual(asking.ask_until(None)[-1], None)
        self.assertTrue(server.wait_for_open(2))  # the client's monitor and its pool have one each
        threads, descriptors = other_threads(), len(os.listdir("/proc/self/fd"))
        scripts = [
            Script.CLOSE,
            Script.GARBAGE,
            Script.NOT_PRIMARY,
            Script.MUTE,
            Script.MUTE_PING,
            Script.DRIP,
            Script.DRIP_PING,
            Script.HEALTHY,
        ]
        for number in range(100):
            server.script = scripts[number % len(scripts)]
            server.drop_connections()
            asking.ask()
        server.script = Script.HEALTHY
        server.drop_connections()
        self.assertEqual(asking.ask_until(None)[-1], None)
        self.assertTrue(server.wait_for_open(2))
        self.assertLessEqual(len(other_threads()), len(threads))
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), descriptors)


if __name__ == "__main__":
    unittest.main()
