"""Every way in which MongoDB can fail, from real peers that fail in it."""

import os
import tempfile
import unittest
import unittest.mock
from concurrent.futures import ThreadPoolExecutor

from app.checks.mongodb import MongoDbCheck
from app.net.reason import Reason
from tests.peers.addresses import NO_ROUTE, NOBODY
from tests.peers.certificates import server_context
from tests.peers.mongo import Nx27017, Script, ScriptedMongo
from tests.peers.tcp_server import ScriptedServer, other_threads

SOON = 2.0  # with the driver's own half seconds in it


class MongoTest(unittest.TestCase):
    def check(self, uri, timeout=2.0):
        check = MongoDbCheck(uri, timeout)
        self.addCleanup(check.close)
        return check

    def play(self, script):
        server = ScriptedMongo(script)
        self.addCleanup(server.close)
        return server

    def assert_reason(self, check, reason, within=SOON):
        outcome = check.run()
        self.assertEqual(outcome.reason, reason, outcome.error)
        self.assertLess(outcome.latency, within)


class RealServerTest(MongoTest):
    @classmethod
    def setUpClass(cls):
        cls.server = Nx27017()
        cls.addClassCleanup(cls.server.close)

    def test_it_is_connected_and_the_client_is_kept(self):
        check = self.check(self.server.uri)
        self.assert_reason(check, None)
        client = check._client
        for _ in range(5):
            self.assert_reason(check, None)
        self.assertIs(check._client, client)

    def test_no_client_is_made_before_the_first_check(self):
        self.assertIsNone(self.check(self.server.uri)._client)

    def test_stopped_it_is_a_timeout_and_going_on_it_is_connected(self):
        check = self.check(self.server.uri, timeout=0.5)
        self.assert_reason(check, None)
        self.server.stop()
        try:
            self.assert_reason(check, Reason.TIMEOUT)
        finally:
            self.server.go_on()
        self.assertIn(check.run().reason, (None, Reason.TIMEOUT))
        self.assert_reason(check, None)

    def test_killed_it_is_refused_and_restarted_it_is_connected(self):
        check = self.check(self.server.uri)
        self.assert_reason(check, None)
        self.server.kill()
        self.assert_reason(check, Reason.REFUSED)
        self.assert_reason(check, Reason.REFUSED)
        self.server.start()
        self.assert_reason(check, None)


class ScriptTest(MongoTest):
    def test_every_script_has_its_word(self):
        """Whether it is met with at once or in a client that knows the server."""
        words = [
            (Script.HEALTHY, None),
            (Script.PRIMARY, None),
            (Script.SECONDARY, Reason.NO_PRIMARY),
            (Script.NOT_PRIMARY, Reason.NO_PRIMARY),
            (Script.AUTH, Reason.AUTH),
            (Script.MUTE, Reason.TIMEOUT),
            (Script.MUTE_PING, Reason.TIMEOUT),
            (Script.DRIP, Reason.TIMEOUT),
            (Script.DRIP_PING, Reason.TIMEOUT),
            (Script.CLOSE, Reason.CLOSED),
            (Script.GARBAGE, Reason.PROTOCOL),
        ]
        times = {Reason.TIMEOUT: 0.6}  # all that the others need is to be longer than the driver's half seconds
        checks = [self.check(self.play(script).uri, times.get(reason, 2.0)) for script, reason in words]
        with ThreadPoolExecutor(len(words)) as threads:
            outcomes = list(threads.map(lambda check: [check.run(), check.run()], checks))
        for (script, reason), both in zip(words, outcomes, strict=True):
            for outcome in both:
                with self.subTest(script):
                    self.assertEqual(outcome.reason, reason, outcome.error)
                    self.assertLess(outcome.latency, SOON)

    def test_after_a_fault_the_next_check_but_one_connects(self):
        """The next one may still be told what the driver's monitor saw, which asks every half second."""
        faults = {
            Script.HEALTHY: (Script.MUTE_PING, Script.NOT_PRIMARY, Script.MUTE, Script.CLOSE, Script.GARBAGE),
            Script.PRIMARY: (Script.SECONDARY, Script.DRIP),
        }
        pairs = [(sound, fault) for sound in faults for fault in faults[sound]]

        def come_and_go(pair):
            sound, fault = pair
            server = self.play(sound)
            check = self.check(server.uri, timeout=1.0)
            reasons = [check.run().reason]
            for script in (fault, sound):
                server.script = script
                server.drop_connections()
                reasons.append(check.run().reason)
            return [*reasons, check.run().reason]

        with ThreadPoolExecutor(len(pairs)) as threads:
            for pair, reasons in zip(pairs, threads.map(come_and_go, pairs), strict=True):
                with self.subTest(pair):
                    before, during, _, after = reasons
                    self.assertEqual((before, after), (None, None))
                    if pair[1] is not Script.SECONDARY:  # one answers a ping until the driver has noticed
                        self.assertIsNotNone(during)

    def test_named_directly_a_secondary_is_connected(self):
        server = self.play(Script.SECONDARY)
        self.assert_reason(self.check(f"mongodb://127.0.0.1:{server.port}/?directConnection=true"), None)

    def test_a_member_that_once_said_it_was_none_is_asked_again(self):
        server = self.play(Script.PRIMARY)
        check = self.check(server.uri)
        self.assert_reason(check, None)
        for script, reason in ((Script.HEALTHY, Reason.NO_PRIMARY), (Script.PRIMARY, None)):
            server.script = script
            server.drop_connections()
            check.run()
            self.assert_reason(check, reason)

    def test_a_connection_lost_between_two_checks_is_replaced_in_the_second(self):
        server = self.play(Script.HEALTHY)
        check = self.check(server.uri)
        for _ in range(3):
            self.assert_reason(check, None)
            server.drop_connections()
        self.assert_reason(check, None)


class UnreachableTest(MongoTest):
    def test_it_says_why_and_not_only_after_the_whole_timeout(self):
        server = self.play(Script.HEALTHY)
        server.refuse()
        words = {f"127.0.0.1:{server.port}": Reason.REFUSED, NOBODY: Reason.DNS, f"{NO_ROUTE}:1": Reason.UNREACHABLE}
        checks = [self.check(f"mongodb://{host}", timeout=5) for host in words]
        with ThreadPoolExecutor(len(words)) as threads:
            outcomes = list(threads.map(lambda check: check.run(), checks))
        self.assertEqual([outcome.reason for outcome in outcomes], list(words.values()), outcomes)
        self.assertLess(max(outcome.latency for outcome in outcomes), SOON)

    def test_a_service_record_that_does_not_resolve_and_no_client_is_kept(self):
        check = self.check(f"mongodb+srv://{NOBODY}")
        self.assert_reason(check, Reason.DNS)
        self.assertIsNone(check._client)


class TlsTest(MongoTest):
    def serve(self, serve):
        server = ScriptedServer(serve)
        self.addCleanup(server.close)
        return f"mongodb://127.0.0.1:{server.port}/?tls=true"

    def test_every_handshake_that_fails_has_its_word(self):
        with tempfile.TemporaryDirectory() as folder:
            context, _ = server_context(folder)

        def untrusted(_, sock):
            with context.wrap_socket(sock, server_side=True) as tls:
                tls.recv(1)

        def plain(_, sock):
            sock.recv(65536)
            sock.sendall(b"no TLS at all\n")

        words = [
            (untrusted, Reason.TLS),
            (plain, Reason.TLS),
            (lambda _, sock: sock.recv(65536), Reason.CLOSED),
            (lambda server, sock: server.ignore(sock), Reason.TIMEOUT),
        ]
        checks = [self.check(self.serve(script), timeout=1.5) for script, _ in words]
        with ThreadPoolExecutor(len(words)) as threads:
            outcomes = list(threads.map(lambda check: check.run(), checks))
        self.assertEqual([outcome.reason for outcome in outcomes], [reason for _, reason in words], outcomes)


class GrowthTest(MongoTest):
    @unittest.mock.patch("pymongo.common.MIN_HEARTBEAT_INTERVAL", 0.01)
    @unittest.mock.patch("app.checks.mongodb.SELECTION_SECONDS", 0.02)
    @unittest.mock.patch("app.checks.mongodb.AFTER_LOSS_SECONDS", 0.02)
    def test_a_hundred_faults_leave_no_thread_and_no_descriptor(self):
        """With the driver's half seconds and ours made short: they are what takes the time of a fault."""
        server = self.play(Script.HEALTHY)
        check = self.check(server.uri, timeout=0.05)
        self.assertTrue(self.comes_back(check))
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
            check.run()
        server.script = Script.HEALTHY
        server.drop_connections()
        self.assertTrue(self.comes_back(check))
        self.assertTrue(server.wait_for_open(2))
        self.assertEqual(other_threads(), threads)
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), descriptors)

    def comes_back(self, check):
        """Whether it is connected in one of the next checks."""
        return any(check.run().reason is None for _ in range(100))


if __name__ == "__main__":
    unittest.main()
