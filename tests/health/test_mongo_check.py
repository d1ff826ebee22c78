"""Every way in which MongoDB can fail, from real peers that fail in it."""

import os
import threading
import unittest

from app.health.checks import Reason
from app.health.mongo_check import MongoCheck
from tests.fakes import DEADLINE
from tests.peers.mongo import Nx27017, Script, ScriptedMongo
from tests.peers.tcp_server import TcpServer

SOON = 2.0  # with the driver's own half seconds in it


class MongoTest(unittest.TestCase):
    def check(self, uri, timeout=2.0):
        check = MongoCheck(uri, timeout)
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
        cls.addClassCleanup(cls.server.__exit__)

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
        for script, reason in [
            (Script.HEALTHY, None),
            (Script.SECONDARY, Reason.NO_PRIMARY),
            (Script.NOT_PRIMARY, Reason.NO_PRIMARY),
            (Script.AUTH, Reason.AUTH),
            (Script.MUTE, Reason.TIMEOUT),
            (Script.MUTE_PING, Reason.TIMEOUT),
            (Script.DRIP, Reason.TIMEOUT),
            (Script.DRIP_PING, Reason.TIMEOUT),
            (Script.CLOSE, Reason.CLOSED),
            (Script.GARBAGE, Reason.PROTOCOL),
        ]:
            with self.subTest(script):
                check = self.check(self.play(script).uri, timeout=1.0)
                self.assert_reason(check, reason)

    def test_named_directly_a_secondary_is_connected(self):
        server = self.play(Script.SECONDARY)
        self.assert_reason(self.check(f"mongodb://127.0.0.1:{server.port}/?directConnection=true"), None)

    def test_a_connection_lost_between_two_checks_is_replaced_in_the_second(self):
        server = self.play(Script.HEALTHY)
        check = self.check(server.uri)
        for _ in range(5):
            self.assert_reason(check, None)
            server.drop_connections()
        self.assert_reason(check, None)


class UnreachableTest(MongoTest):
    def test_it_says_at_once_that_nobody_listens(self):
        with TcpServer() as server:
            pass
        self.assert_reason(self.check(f"mongodb://127.0.0.1:{server.port}", timeout=5), Reason.REFUSED)

    def test_a_name_that_does_not_resolve(self):
        self.assert_reason(self.check("mongodb://nobody.invalid"), Reason.DNS, within=DEADLINE)

    def test_a_service_record_that_does_not_resolve_and_no_client_is_kept(self):
        check = self.check("mongodb+srv://cluster.nobody.invalid")
        self.assert_reason(check, Reason.DNS, within=DEADLINE)
        self.assertIsNone(check._client)

    def test_plain_where_tls_is_wanted(self):
        server = self.play(Script.HEALTHY)
        check = self.check(f"mongodb://127.0.0.1:{server.port}/?tls=true", timeout=1.0)
        self.assertIn(check.run().reason, (Reason.TLS, Reason.CLOSED, Reason.TIMEOUT))


class GrowthTest(MongoTest):
    def test_faults_leave_no_thread_and_no_descriptor(self):
        server = self.play(Script.HEALTHY)
        check = self.check(server.uri, timeout=0.3)
        check.run()
        check.run()
        threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
        for number in range(12):
            server.script = (Script.HEALTHY, Script.CLOSE, Script.HEALTHY, Script.GARBAGE)[number % 4]
            server.drop_connections()
            check.run()
        server.script = Script.HEALTHY
        server.drop_connections()
        check.run()
        self.assertIsNone(check.run().reason)
        self.assertTrue(server.wait_for(lambda: len(server._sockets) <= 3))
        self.assertLessEqual(threading.active_count(), threads + 3)
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), descriptors + 6)


if __name__ == "__main__":
    unittest.main()
