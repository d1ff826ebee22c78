"""Every way in which MongoDB can fail and come back, from peers that do so."""

import contextlib
import os
import ssl
import tempfile
import unittest
import unittest.mock
from pathlib import Path

import certifi
from bson import ObjectId

from app.checks.mongodb import LIFETIME_SECONDS
from app.net.reason import Reason
from app.net.resolver import Resolver
from tests.checks.mongodb_asking import SOON, MongoTest
from tests.fakes import DEADLINE, ScriptedClock
from tests.peers.addresses import NO_ROUTE, NOBODY
from tests.peers.certificates import server_context
from tests.peers.mongo import Nx27017, Script
from tests.peers.tcp_server import ScriptedServer


class ProcessTest(MongoTest):
    @classmethod
    def setUpClass(cls):
        cls.server = Nx27017()
        cls.addClassCleanup(cls.server.close)

    def test_suspended_it_is_a_timeout_and_resumed_it_is_connected(self):
        asking = self.asking(self.server.uri, timeout=0.5)
        self.assert_reason(asking, None)
        self.server.stop()
        try:
            self.assert_reason(asking, Reason.TIMEOUT)
        finally:
            self.server.go_on()
        self.assertIn(asking.ask().reason, (None, Reason.TIMEOUT))
        self.assert_reason(asking, None)

    def test_killed_it_is_refused_and_restarted_it_is_connected(self):
        asking = self.asking(self.server.uri)
        self.assert_reason(asking, None)
        self.server.kill()
        self.assert_reason(asking, Reason.REFUSED)
        self.assert_reason(asking, Reason.REFUSED)
        self.server.start()
        self.assertEqual(asking.ask_until(None)[-1], None)


class ScriptTest(MongoTest):
    def test_every_fault_has_its_reason_in_a_new_client_and_in_one_that_knows_the_server(self):
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
        all_asking = [self.asking(self.play(script).uri, times.get(reason, 2.0)) for script, reason in words]
        outcomes = self.at_once([lambda asking=asking: [asking.ask(), asking.ask()] for asking in all_asking])
        for (script, reason), both in zip(words, outcomes, strict=True):
            for outcome in both:
                with self.subTest(script):
                    self.assertEqual(outcome.reason, reason, outcome.error)
                    self.assertLess(outcome.latency, SOON)

    def test_after_a_fault_the_next_check_but_one_connects(self):
        """The next one may still see what the driver's monitor saw, which asks every half second."""
        faults = {
            Script.HEALTHY: (Script.MUTE_PING, Script.NOT_PRIMARY, Script.MUTE, Script.CLOSE, Script.GARBAGE),
            Script.PRIMARY: (Script.SECONDARY, Script.DRIP),
        }
        pairs = [(sound, fault) for sound in faults for fault in faults[sound]]

        def come_and_go(sound, fault):
            server = self.play(sound)
            asking = self.asking(server.uri, timeout=1.0)
            reasons = [asking.ask().reason]
            for script in (fault, sound):
                server.script = script
                server.drop_connections()
                reasons.append(asking.ask().reason)
            return [*reasons, asking.ask().reason]

        all_reasons = self.at_once([lambda pair=pair: come_and_go(*pair) for pair in pairs])
        for pair, (before, during, _, after) in zip(pairs, all_reasons, strict=True):
            with self.subTest(pair):
                self.assertEqual((before, after), (None, None))
                if pair[1] is not Script.SECONDARY:  # one answers a ping until the driver has noticed
                    self.assertIsNotNone(during)

    def test_a_server_of_the_read_preference_is_enough(self):
        server = self.play(Script.SECONDARY)
        separator = "&" if "?" in server.uri else "/?"
        for preference, reason in (("secondaryPreferred", None), ("nearest", None), ("primary", Reason.NO_PRIMARY)):
            with self.subTest(preference):
                asking = self.asking(f"{server.uri}{separator}readPreference={preference}", timeout=5.0)
                self.assert_reason(asking, reason)
                self.assert_reason(asking, reason)
        self.assertEqual(asking.ask().cause.detail, "no primary in the replica set")

    def test_a_secondary_that_is_named_directly_is_connected(self):
        server = self.play(Script.SECONDARY)
        self.assert_reason(self.asking(f"mongodb://{server.address}/?directConnection=true"), None)

    def test_a_member_that_once_was_none_is_asked_again(self):
        server = self.play(Script.PRIMARY)
        asking = self.asking(server.uri)
        self.assert_reason(asking, None)
        for script, reason in ((Script.HEALTHY, Reason.NO_PRIMARY), (Script.PRIMARY, None)):
            server.script = script
            server.drop_connections()
            asking.ask()
            self.assert_reason(asking, reason)

    def test_a_connection_lost_between_two_checks_is_replaced_in_the_second(self):
        server = self.play()
        asking = self.asking(server.uri)
        for _ in range(3):
            self.assert_reason(asking, None)
            server.drop_connections()
        self.assert_reason(asking, None)

    @unittest.mock.patch("pymongo.helpers_shared._RetryPolicy.backoff", lambda *_: 0.7)
    def test_a_ping_whose_connection_is_refused_is_not_sent_again_until_the_deadline(self):
        """Which the driver would do, once its monitor has noticed: in half a second."""
        server = self.play(streams=False)

        class RefusingResolver(Resolver):
            def resolve(self, *names):  # in a check, this is done before the connection is opened
                server.refuse()
                return super().resolve(*names)

        self.assert_reason(self.asking(server.uri, resolver=RefusingResolver()), Reason.REFUSED)

    def test_checks_share_one_connection(self):
        server = self.play(streams=False)
        asking = self.asking(server.uri)
        for _ in range(5):
            self.assert_reason(asking, None)
        self.assertEqual(server.connections, 2)  # one is the monitor's


class RecoveryTest(MongoTest):
    """What the driver remembers for good is forgotten with the client that has failed for ten seconds."""

    def assert_a_new_client_is_needed(self, uri, break_it, reason, mend_it):
        time = ScriptedClock()
        asking = self.asking(uri, clock=time)
        if break_it is not None:
            self.assert_reason(asking, None)
            break_it()
        self.assertEqual(asking.ask_until(reason)[-1], reason)
        mend_it()
        time.advance(LIFETIME_SECONDS - 0.1)
        self.assert_reason(asking, reason)
        time.advance(0.2)
        self.assert_reason(asking, None)

    def test_a_replica_set_that_was_rebuilt(self):
        first, later = ({"electionId": ObjectId(f"7fffffff000000000000000{n}")} for n in (1, 9))
        server = self.play(Script.PRIMARY, **later)

        def rebuild():
            server.play(Script.PRIMARY, **first)

        self.assert_a_new_client_is_needed(server.uri, rebuild, Reason.ERROR, lambda: None)

    def test_a_replica_set_whose_configured_host_names_were_wrong(self):
        server = self.play(Script.PRIMARY, hosts=[f"{NOBODY}:27017"])
        self.assert_a_new_client_is_needed(server.uri, None, Reason.DNS, lambda: server.play(Script.PRIMARY))

    def test_a_replica_set_whose_members_all_have_new_addresses(self):
        old, new = self.play(Script.PRIMARY), self.play(Script.PRIMARY)
        seed = self.play(Script.SECONDARY, hosts=[old.address], me=old.address)

        def move():
            seed.play(Script.SECONDARY, hosts=[new.address], me=new.address)
            old.refuse()

        self.assert_a_new_client_is_needed(seed.uri, move, Reason.REFUSED, lambda: None)

    def test_answers_of_the_wrong_types_are_a_protocol_error_and_right_ones_connect_at_once(self):
        odd = [
            {"minWireVersion": "x"},
            {"electionId": ["x"]},
            {"hosts": [1, 2]},
            {"topologyVersion": "x"},
            {"lastWrite": {"lastWriteDate": 5}},
            {"tags": 1, "lastWrite": 1},
            {"maxMessageSizeBytes": "x", "minWireVersion": []},
        ]

        def come_and_go(facts):
            election = {"electionId": ObjectId()}
            server = self.play(Script.PRIMARY, **election)
            asking = self.asking(server.uri)
            reasons = [asking.ask().reason]
            server.play(Script.PRIMARY, **election | facts)
            reasons.append(asking.ask_until(Reason.PROTOCOL)[-1])
            server.play(Script.PRIMARY, **election)
            asking.ask()
            return [*reasons, asking.ask().reason]

        with unittest.mock.patch("threading.excepthook") as ended:
            all_reasons = self.at_once([lambda facts=facts: come_and_go(facts) for facts in odd])
        for facts, reasons in zip(odd, all_reasons, strict=True):
            with self.subTest(facts):
                self.assertEqual(reasons, [None, Reason.PROTOCOL, None])
        self.assertEqual(ended.mock_calls, [])  # no monitor's thread

    def test_a_password_that_was_corrected_connects_before_the_drivers_own_heartbeat(self):
        server = self.play(Script.AUTH)
        asking = self.asking(server.uri)
        self.assert_reason(asking, Reason.AUTH)
        server.script = Script.HEALTHY
        self.assertEqual(asking.ask_until(None)[-1], None)

    def test_a_lost_primary_is_noticed_where_the_driver_polls_as_often_as_the_uri_has_it(self):
        def lose(streams, options="", **environment):
            server = self.play(Script.PRIMARY, streams)
            asking = self.asking(server.uri + options)
            # Only where needed: at its end, a patch restores all that was set when it began, in other threads too.
            with unittest.mock.patch.dict(os.environ, environment) if environment else contextlib.nullcontext():
                self.connect(asking)
            server.script = Script.SECONDARY
            return asking.ask_until(Reason.NO_PRIMARY, limit=3.0)[-1]

        calls = [
            lambda: lose(streams=False),
            lambda: lose(streams=True, K_SERVICE="service"),
            lambda: lose(streams=False, options="&heartbeatFrequencyMS=60000"),
        ]
        self.assertEqual(self.at_once(calls), [Reason.NO_PRIMARY, Reason.NO_PRIMARY, None])


class UnreachableTest(MongoTest):
    def test_the_reason_comes_before_the_whole_timeout(self):
        words = {
            f"127.0.0.1:{self.port_of_nobody()}": Reason.REFUSED,
            NOBODY: Reason.DNS,
            f"{NO_ROUTE}:1": Reason.UNREACHABLE,
            "%2Fno%2Fsuch%2Fmongodb.sock": Reason.UNREACHABLE,
        }
        outcomes = self.at_once([self.asking(f"mongodb://{host}", timeout=5).ask for host in words])
        self.assertEqual([outcome.reason for outcome in outcomes], list(words.values()), outcomes)
        self.assertLess(max(outcome.latency for outcome in outcomes), SOON)

    def test_of_several_dead_servers_the_one_with_which_the_driver_got_furthest_gives_the_reason(self):
        """However they are hashed: the names differ in each of the sets."""
        closing, refusing = self.play(Script.CLOSE).address, f"127.0.0.1:{self.port_of_nobody()}"
        sets = [[f"{NO_ROUTE}:{n}", f"{n}.{NOBODY}", refusing] for n in range(1, 9)]
        sets += [[refusing, f"{NO_ROUTE}:{n}", closing] for n in range(1, 9)]
        outcomes = self.at_once([self.asking(f"mongodb://{','.join(hosts)}", timeout=5).ask for hosts in sets])
        self.assertEqual([each.reason for each in outcomes], [Reason.REFUSED] * 8 + [Reason.CLOSED] * 8, outcomes)

    def test_a_service_record_that_does_not_resolve(self):
        self.assert_reason(self.asking(f"mongodb+srv://{NOBODY}"), Reason.DNS)


class TlsTest(MongoTest):
    def serve(self, serve):
        server = ScriptedServer(serve)
        self.addCleanup(server.close)
        return f"mongodb://127.0.0.1:{server.port}/?tls=true"

    def test_every_handshake_that_fails_has_its_reason(self):
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
        calls = [self.asking(self.serve(each), 1.0 if reason is Reason.TIMEOUT else 5.0).ask for each, reason in words]
        outcomes = self.at_once(calls)
        self.assertEqual([outcome.reason for outcome in outcomes], [reason for _, reason in words], outcomes)

    def test_the_bundle_serves_a_uri_that_names_no_authorities_of_its_own(self):
        with tempfile.TemporaryDirectory() as folder:
            context, bundle = server_context(folder)

            def close(_, sock):
                context.wrap_socket(sock, server_side=True).close()

            trusted = self.asking(self.serve(close), 5.0, ca_bundle=bundle).ask()
            untrusted = self.asking(self.serve(close), 5.0, ca_bundle=certifi.where()).ask()
        self.assertEqual((trusted.reason, untrusted.reason), (Reason.CLOSED, Reason.TLS))
        self.assertEqual(untrusted.cause.detail, "certificate is self-signed")

    def test_a_file_that_cannot_be_read_is_tls(self):
        uri = f"mongodb://127.0.0.1:{self.port_of_nobody()}/?tls=true"
        authorities, file = "the file of authorities cannot be read", "a certificate file cannot be read"
        for options, bundle, detail in [
            ("", "/nonexistent.pem", authorities),
            ("&tlsCAFile=/nonexistent.pem", None, authorities),
            (f"&tlsCAFile={__file__}", None, authorities),
            ("&tlsCertificateKeyFile=/nonexistent.pem", None, file),
            (f"&tlsCertificateKeyFile={__file__}", None, file),
        ]:
            with self.subTest(options):
                outcome = self.asking(uri + options, ca_bundle=bundle).ask()
                self.assertEqual(outcome.cause, (Reason.TLS, detail), outcome.error)

    @unittest.mock.patch.multiple("app.net.tls", LOOK_SECONDS=DEADLINE, ALERT_SECONDS=DEADLINE)
    def test_a_refused_client_certificate_is_tls_and_an_end_after_the_handshake_is_closed(self):
        with tempfile.TemporaryDirectory() as folder:
            strict, pem = server_context(folder)
            lenient, _ = server_context(Path(folder, "other").mkdir() or f"{folder}/other")
            strict.verify_mode = ssl.CERT_REQUIRED

            def end(context):
                def serve(_, sock):
                    context.wrap_socket(sock, server_side=True).close()

                return serve

            uris = [f"{self.serve(end(strict))}&tlsCAFile={pem}"] * 8
            uris += [f"{self.serve(end(lenient))}&tlsCAFile={folder}/other/certificate.pem"] * 2
            outcomes = self.at_once([self.asking(uri, timeout=5).ask for uri in uris])
        self.assertEqual([each.reason for each in outcomes], [Reason.TLS] * 8 + [Reason.CLOSED] * 2, outcomes)


if __name__ == "__main__":
    unittest.main()
