"""Every way in which an AI service can fail, from a real server that fails in it."""

import os
import socket
import tempfile
import threading
import time
import unittest
import unittest.mock

from app.health.ai_service_check import AiServiceCheck
from app.health.checks import Reason
from tests.fakes import DEADLINE
from tests.peers.ai_service import FaultyAiService, Mode
from tests.peers.certificates import server_context

TIMEOUT = 1.0
SOON = 0.8  # for what should take next to no time, on a machine that is busy


class AiServiceTest(unittest.TestCase):
    def serve(self, mode=Mode.OK, **options):
        server = FaultyAiService(mode, **options)
        self.addCleanup(server.close)
        return server

    def check(self, url, timeout=TIMEOUT, ca_bundle=None):
        check = AiServiceCheck(url, timeout, ca_bundle)
        self.addCleanup(check.close)
        return check

    def assert_reason(self, check, reason, within=SOON):
        outcome = check.run()
        self.assertEqual(outcome.reason, reason, outcome.error)
        self.assertLess(outcome.latency, within)
        return outcome


class AnswersTest(AiServiceTest):
    def test_200_is_connected_and_the_connection_is_kept(self):
        server = self.serve()
        check = self.check(server.url)
        for _ in range(5):
            self.assert_reason(check, None)
        self.assertEqual((server.requests, server.connections), (5, 1))

    def test_health_is_added_after_trailing_slashes_are_removed(self):
        server = self.serve()
        for path, asked in (("", "/health"), ("/", "/health"), ("/base//", "/base/health")):
            self.check(server.url + path).run()
            self.assertEqual(server.paths[-1], asked)

    def test_every_answer_has_its_word(self):
        for mode, reason in [
            (Mode.OK_THEN_CLOSE, None),
            (Mode.STATUS_503, Reason.HTTP_STATUS),
            (Mode.REDIRECT, Reason.REDIRECT),
            (Mode.RESET, Reason.CLOSED),
            (Mode.CLOSE, Reason.CLOSED),
            (Mode.GARBAGE, Reason.PROTOCOL),
            (Mode.PARTIAL, Reason.PROTOCOL),
            (Mode.DRIP_BODY, None),
            (Mode.DRIP_CHUNKS, None),
            (Mode.ENDLESS_BODY, None),
        ]:
            with self.subTest(mode):
                server = self.serve(mode)
                check = self.check(server.url)
                began = time.monotonic()
                self.assert_reason(check, reason)
                self.assert_reason(check, reason)
                self.assertLess(time.monotonic() - began, 2 * SOON)
                self.assertEqual(server.requests, 2)

    def test_a_redirect_is_not_followed(self):
        server = self.serve(Mode.REDIRECT)
        self.check(server.url).run()
        self.assertEqual(server.paths, ["/health"])

    def test_a_connection_whose_body_drips_is_dropped_and_one_with_an_error_kept(self):
        for mode, connections in ((Mode.DRIP_BODY, 2), (Mode.DRIP_CHUNKS, 2), (Mode.STATUS_503, 1)):
            with self.subTest(mode):
                server = self.serve(mode)
                check = self.check(server.url)
                check.run()
                check.run()
                self.assertEqual(server.connections, connections)

    def test_a_head_that_breaks_off_is_no_answer(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def half_a_head():
                sock, _ = listener.accept()
                with sock:
                    sock.recv(65536)
                    sock.sendall(b"HTTP/1.1 200 OK\r\nX-Half")

            thread = threading.Thread(target=half_a_head)
            thread.start()
            self.assert_reason(
                self.check(f"http://127.0.0.1:{listener.getsockname()[1]}"), Reason.PROTOCOL
            )
            thread.join(DEADLINE)

    def test_a_slow_answer_within_the_deadline_is_an_answer(self):
        server = self.serve(Mode.DELAY, delay=0.2)
        outcome = self.check(server.url).run()
        self.assertIsNone(outcome.reason)
        self.assertGreaterEqual(outcome.latency, 0.2)

    def test_the_request_is_plain_and_carries_the_credentials_of_the_url(self):
        server = self.serve()
        self.check(server.url.replace("//", "//someone:hunter2@")).run()
        head = server.heads[0].lower()
        self.assertIn(b"authorization: basic c29tzw9uztpodw50zxiy\r\n", head)
        self.assertIn(b"accept-encoding: identity\r\n", head)


class KeptConnectionTest(AiServiceTest):
    def test_one_closed_by_the_peer_before_a_byte_of_the_answer_is_replaced_in_the_same_check(self):
        server = self.serve(Mode.CLOSE_REUSED)
        check = self.check(server.url)
        for _ in range(3):
            self.assert_reason(check, None)
        self.assertEqual(server.connections, 3)

    def test_one_that_breaks_off_within_the_answer_is_not(self):
        server = self.serve(Mode.RESET_REUSED_MIDWAY)
        check = self.check(server.url)
        self.assert_reason(check, None)
        self.assert_reason(check, Reason.PROTOCOL)
        self.assertEqual(server.requests, 2)

    def test_a_new_connection_is_not_tried_again(self):
        server = self.serve(Mode.CLOSE)
        self.assert_reason(self.check(server.url), Reason.CLOSED)
        self.assertEqual(server.requests, 1)

    def test_after_a_fault_the_next_check_connects(self):
        server = self.serve()
        check = self.check(server.url)
        self.assert_reason(check, None)
        server.refuse()
        self.assert_reason(check, Reason.REFUSED)
        server.resume()
        self.assert_reason(check, None)


class HangTest(AiServiceTest):
    def test_a_mute_server_is_a_timeout(self):
        server = self.serve(Mode.MUTE)
        self.assert_reason(self.check(server.url, timeout=0.2), Reason.TIMEOUT, within=DEADLINE)

    def test_abort_brings_a_check_back_from_a_mute_or_dripping_server(self):
        for mode in (Mode.MUTE, Mode.DRIP_HEAD):
            with self.subTest(mode):
                server = self.serve(mode)
                check = self.check(server.url, timeout=60)
                outcomes = []
                thread = threading.Thread(target=lambda: outcomes.append(check.run()))
                thread.start()
                self.assertTrue(server.wait_for_requests(1))
                check.abort()
                thread.join(DEADLINE)
                self.assertEqual(len(outcomes), 1)
                self.assertIsNotNone(outcomes[0].reason)

    def test_a_full_backlog_does_not_hold_it_longer_than_its_time(self):
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
            address = listener.getsockname()
            waiting = [socket.socket() for _ in range(4)]
            for sock in waiting:
                self.addCleanup(sock.close)
                sock.setblocking(False)
                sock.connect_ex(address)
            check = self.check(f"http://127.0.0.1:{address[1]}", timeout=0.3)
            self.assert_reason(check, Reason.TIMEOUT, within=DEADLINE)


class UnreachableTest(AiServiceTest):
    def test_nobody_listens(self):
        server = self.serve()
        server.refuse()
        self.assert_reason(self.check(server.url), Reason.REFUSED)

    def test_the_name_does_not_resolve(self):
        self.assert_reason(self.check("http://nobody.invalid"), Reason.DNS, within=DEADLINE)

    def test_no_route(self):
        def no_route(*_):
            raise OSError(113, "No route to host")

        with unittest.mock.patch("socket.socket.connect", no_route):
            self.assert_reason(self.check("http://127.0.0.1:1"), Reason.UNREACHABLE)

    def test_proxies_of_the_environment_are_not_used(self):
        server = self.serve()
        with unittest.mock.patch.dict(os.environ, http_proxy="http://127.0.0.1:1", no_proxy=""):
            self.assert_reason(self.check(server.url), None)


class TlsTest(AiServiceTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.context, self.pem = server_context(folder.name)

    def test_a_certificate_of_the_bundle_is_trusted_and_the_connection_kept(self):
        server = self.serve(tls=self.context)
        check = self.check(server.url, timeout=DEADLINE, ca_bundle=self.pem)
        self.assert_reason(check, None, within=DEADLINE)
        self.assert_reason(check, None)
        self.assertEqual(server.connections, 1)

    def test_a_certificate_that_nobody_signed_is_not(self):
        server = self.serve(tls=self.context)
        self.assert_reason(self.check(server.url, timeout=DEADLINE), Reason.TLS, within=DEADLINE)

    def test_tls_on_a_plain_port(self):
        server = self.serve(Mode.GARBAGE)
        outcome = self.check(server.url.replace("http:", "https:"), timeout=0.5).run()
        self.assertIn(outcome.reason, (Reason.TLS, Reason.TIMEOUT))

    def test_abort_reaches_a_check_over_tls(self):
        server = self.serve(Mode.DRIP_HEAD, tls=self.context)
        check = self.check(server.url, timeout=60, ca_bundle=self.pem)
        thread = threading.Thread(target=check.run)
        thread.start()
        self.assertTrue(server.wait_for_requests(1))
        check.abort()
        thread.join(DEADLINE)
        self.assertFalse(thread.is_alive())


class GrowthTest(AiServiceTest):
    def test_a_hundred_faults_leave_no_thread_and_no_descriptor(self):
        server = self.serve()
        check = self.check(server.url, timeout=0.5)
        check.run()
        threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
        modes = [Mode.OK, Mode.RESET, Mode.CLOSE, Mode.GARBAGE, Mode.STATUS_503, Mode.ENDLESS_BODY]
        for number in range(100):
            server.mode = modes[number % len(modes)]
            check.run()
        server.drop_connections()
        server.mode = Mode.OK
        self.assertIsNone(check.run().reason)
        self.assertTrue(server.wait_for(lambda: len(server._sockets) == 1))
        self.assertLessEqual(threading.active_count(), threads + 2)
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), descriptors + 2)


if __name__ == "__main__":
    unittest.main()
