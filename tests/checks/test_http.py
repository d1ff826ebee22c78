"""Every way in which an AI service can fail, from a real server that fails in it."""

import base64
import os
import re
import shutil
import socket
import ssl
import tempfile
import threading
import time
import unittest
import unittest.mock
from pathlib import Path

import certifi
import urllib3

from app.checks.check import perform
from app.checks.http import HttpCheck
from app.net.reason import CERTIFICATE_REFUSED, Reason
from app.net.resolver import Resolver
from tests.fakes import DEADLINE
from tests.peers.addresses import NO_ROUTE, NOBODY
from tests.peers.ai_service import FaultyAiService, Mode
from tests.peers.certificates import server_context
from tests.peers.tcp_server import ScriptedServer, closing, other_threads, refusing_late

TIMEOUT = 1.0
SOON = 0.8  # for what should take next to no time, on a machine that is busy
PROXY_VARIABLES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


def drip_handshake(server, sock):
    """The beginning of a TLS record, byte by byte."""
    for byte in b"\x16\x03\x03\x40\x00" + bytes(1000):
        sock.sendall(bytes([byte]))
        if server.ended.wait(0.05):
            return


class HttpCheckTest(unittest.TestCase):
    def serve(self, mode=Mode.OK, **options):
        server = FaultyAiService(mode, **options)
        self.addCleanup(server.close)
        return server

    def check(self, url, timeout=TIMEOUT, ca_bundle=None):
        check = HttpCheck("ai_service", url + "/health", ca_bundle or certifi.where(), Resolver())
        self.addCleanup(check.close)
        self.timeout = timeout
        return check

    def run_once(self, check):
        return perform(check, self.timeout)

    def assert_reason(self, check, reason, within=SOON):
        outcome = self.run_once(check)
        self.assertEqual(outcome.reason, reason, outcome.error)
        self.assertLess(outcome.latency, within)
        return outcome


class AnswersTest(HttpCheckTest):
    def test_200_is_connected_and_the_connection_is_kept(self):
        server = self.serve()
        check = self.check(server.url)
        for _ in range(5):
            self.assert_reason(check, None)
        self.assertEqual((server.requests, server.connections), (5, 1))

    def test_the_url_is_requested_as_written(self):
        server = self.serve()
        check = HttpCheck("ai_service", f"{server.url}/a/b?c=d%20e", certifi.where(), Resolver())
        self.addCleanup(check.close)
        self.assertIsNone(perform(check, DEADLINE).reason)
        self.assertEqual(server.paths, ["/a/b?c=d%20e"])

    def test_every_answer_has_its_reason(self):
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
        self.run_once(self.check(server.url))
        self.assertEqual(server.paths, ["/health"])

    def test_a_connection_whose_body_drips_is_dropped_and_one_with_an_error_kept(self):
        for mode, connections in ((Mode.DRIP_BODY, 2), (Mode.DRIP_CHUNKS, 2), (Mode.STATUS_503, 1)):
            with self.subTest(mode):
                server = self.serve(mode)
                check = self.check(server.url)
                self.run_once(check)
                self.run_once(check)
                self.assertEqual(server.connections, connections)

    def test_a_head_that_breaks_off_is_a_breach_of_protocol(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def half_a_head():
                sock, _ = listener.accept()
                with sock:
                    sock.recv(65536)
                    sock.sendall(b"HTTP/1.1 200 OK\r\nX-Half")

            thread = threading.Thread(target=half_a_head)
            thread.start()
            self.assert_reason(self.check(f"http://127.0.0.1:{listener.getsockname()[1]}"), Reason.PROTOCOL)
            thread.join(DEADLINE)

    def test_a_slow_answer_within_the_deadline_is_an_answer(self):
        server = self.serve(Mode.DELAY, delay=0.2)
        outcome = self.run_once(self.check(server.url))
        self.assertIsNone(outcome.reason)
        self.assertGreaterEqual(outcome.latency, 0.2)

    def test_the_request_is_plain_and_carries_the_credentials_of_the_url(self):
        server = self.serve()
        self.run_once(self.check(server.url.replace("//", "//someone:hunter2@")))
        head = server.heads[0].lower()
        self.assertIn(b"authorization: basic c29tzw9uztpodw50zxiy\r\n", head)
        self.assertIn(b"accept-encoding: identity\r\n", head)


class OptionsTest(HttpCheckTest):
    """Accepted status codes, the body, and headers of one's own."""

    def cause_of_answer(self, *parts, timeout=DEADLINE, then=None, **options):
        def send(server, sock):
            while sock.recv(65536):
                for part in parts:
                    sock.sendall(part)
                if then is not None:
                    then(server, sock)

        server = ScriptedServer(send)
        self.addCleanup(server.close)
        check = HttpCheck("search", f"http://127.0.0.1:{server.port}/", certifi.where(), Resolver(), **options)
        self.addCleanup(check.close)
        outcomes = [perform(check, timeout) for _ in range(2)]
        self.connections = server.connections
        return outcomes[-1].cause

    def response(self, status, body=b""):
        return b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)

    def test_a_status_code_is_accepted_if_it_is_among_the_statuses(self):
        for status, cause in [
            (200, None),
            (429, None),
            (204, (Reason.HTTP_STATUS, "answered 204")),
            (401, (Reason.AUTH, "answered 401")),
            (403, (Reason.AUTH, "answered 403")),
            (307, (Reason.REDIRECT, "answered 307, a redirect")),
        ]:
            with self.subTest(status):
                self.assertEqual(self.cause_of_answer(self.response(status), statuses={200, 429}), cause)
        self.assertIsNone(self.cause_of_answer(self.response(401), statuses={401}))

    def test_the_body_must_match(self):
        ready = re.compile('"status": *"(green|yellow)"')
        self.assertIsNone(self.cause_of_answer(self.response(200, b'{"status":"green"}'), body_matches=ready))
        self.assertEqual(self.connections, 1)
        self.assertEqual(
            self.cause_of_answer(self.response(200, b'{"status":"red"}'), body_matches=ready),
            (Reason.CONTENT, "the body does not match"),
        )

    def test_the_body_of_a_refused_status_is_not_searched(self):
        cause = self.cause_of_answer(self.response(503, b"ready"), body_matches=re.compile("ready"))
        self.assertEqual(cause, (Reason.HTTP_STATUS, "answered 503"))

    def test_only_the_first_64_kib_of_the_body_are_searched(self):
        for size, cause in ((60_000, None), (70_000, (Reason.CONTENT, "the body does not match"))):
            body = b"x" * size + b"ready"
            self.assertEqual(self.cause_of_answer(self.response(200, body), body_matches=re.compile("ready")), cause)

    def test_what_is_found_before_the_body_stalls_counts_as_found(self):
        def stall(server, sock):
            server.ignore(sock)

        head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
        self.assertIsNone(self.cause_of_answer(head, b"data: ready", then=stall, body_matches=re.compile("ready")))
        # Too little to be searched again at once: found when the body has stalled.
        self.assertIsNone(
            self.cause_of_answer(head, b"x" * 5000, b"ready", then=stall, body_matches=re.compile("ready"), timeout=0.5)
        )
        cause = self.cause_of_answer(head, b"wait", then=stall, body_matches=re.compile("ready"), timeout=0.5)
        self.assertEqual(cause.reason, Reason.TIMEOUT)

    def test_a_body_that_drips_is_not_searched_after_every_byte(self):
        searches = []

        class Counting:
            def search(self, text):
                searches.append(len(text))

        def drip(server, sock):
            for _ in range(2000):
                sock.sendall(b"x")

        head = b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n"
        self.cause_of_answer(head, then=drip, body_matches=Counting())
        self.assertLess(sum(searches), 2 * 12 * 2000)

    def test_bytes_that_are_not_utf_8_do_not_match_and_do_no_harm(self):
        cause = self.cause_of_answer(self.response(200, b"\xff\xfe"), body_matches=re.compile("ready"))
        self.assertEqual(cause.reason, Reason.CONTENT)

    def test_headers_are_sent(self):
        server = self.serve()
        check = HttpCheck(
            "ai_service", server.url, certifi.where(), Resolver(), headers={"Authorization": "Bearer secret"}
        )
        self.addCleanup(check.close)
        self.assertIsNone(perform(check, DEADLINE).cause)
        self.assertIn(b"authorization: bearer secret\r\n", server.heads[0].lower())

    def test_user_and_password_of_the_url_are_sent_in_utf_8(self):
        server = self.serve()
        check = self.check(server.url.replace("//", "//us%40er:%E2%82%AC%2F@"))
        self.assertIsNone(self.run_once(check).cause)
        sent = re.search(rb"(?i)authorization: Basic (\S+)", server.heads[0])[1]
        self.assertEqual(base64.b64decode(sent).decode(), "us@er:€/")


class HostileTest(HttpCheckTest):
    """What a peer sends is bounded before it is parsed, kept or logged."""

    def check_against(self, *parts, timeout=DEADLINE):
        def send(server, sock):
            sock.recv(65536)
            for part in parts:
                sock.sendall(part)
            server.ignore(sock)

        server = ScriptedServer(send)
        self.addCleanup(server.close)
        return self.run_once(self.check(f"http://127.0.0.1:{server.port}", timeout))

    def test_informational_responses_before_the_answer_are_skipped(self):
        interim = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        self.assertIsNone(self.check_against(interim * 8, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").reason)

    def test_informational_responses_without_end_are_a_breach_of_protocol(self):
        self.assertEqual(self.check_against(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 17).reason, Reason.PROTOCOL)

    def test_switching_protocols_is_an_answer_and_not_an_accepted_one(self):
        self.assertEqual(self.check_against(b"HTTP/1.1 101 x\r\n\r\n").reason, Reason.HTTP_STATUS)

    def test_a_head_above_64_kib_is_not_read_to_its_end(self):
        lines = b"".join(b"X-%d: %s\r\n" % (n, b"a" * 1000) for n in range(90))
        for head in (lines, b"X: " + b"a" * 70000 + b"\r\n"):
            outcome = self.check_against(b"HTTP/1.1 200 OK\r\n", head, b"\r\n")
            self.assertEqual(outcome.reason, Reason.PROTOCOL)

    def test_cookies_are_not_parsed(self):
        with unittest.mock.patch("http.cookiejar.parse_ns_headers") as netscape:
            with unittest.mock.patch("http.cookiejar.split_header_words") as rfc2965:
                outcome = self.check_against(
                    b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nSet-Cookie2: c=d\r\nContent-Length: 0\r\n\r\n"
                )
        self.assertEqual((outcome.reason, netscape.called, rfc2965.called), (None, False, False))

    def test_a_head_that_drips_ends_at_the_deadline_without_help_from_outside(self):
        server = self.serve(Mode.DRIP_HEAD)
        outcome = self.run_once(self.check(server.url, timeout=0.3))
        self.assertEqual(outcome.reason, Reason.TIMEOUT)
        self.assertTrue(server.wait_for_open(0))


class KeptConnectionTest(HttpCheckTest):
    def test_a_kept_connection_closed_before_the_answer_is_replaced_in_the_same_check(self):
        server = self.serve(Mode.CLOSE_REUSED)
        check = self.check(server.url)
        for _ in range(3):
            self.assert_reason(check, None)
        self.assertEqual(server.connections, 3)

    def test_a_kept_connection_is_replaced_only_once(self):
        server = self.serve()
        check = self.check(server.url)
        self.assert_reason(check, None)
        server.mode = Mode.CLOSE
        self.assert_reason(check, Reason.CLOSED)
        self.assertEqual((server.requests, server.connections), (3, 2))

    def test_a_kept_connection_that_breaks_off_within_the_answer_is_not_replaced(self):
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


class HangTest(HttpCheckTest):
    def test_a_mute_server_is_a_timeout(self):
        server = self.serve(Mode.MUTE)
        self.assert_reason(self.check(server.url, timeout=0.2), Reason.TIMEOUT, within=DEADLINE)

    def test_abort_brings_a_check_back_from_a_mute_or_dripping_server(self):
        for mode in (Mode.MUTE, Mode.DRIP_HEAD):
            with self.subTest(mode):
                server = self.serve(mode)
                check = self.check(server.url, timeout=60)
                outcomes = []
                thread = threading.Thread(target=lambda: outcomes.append(self.run_once(check)))
                thread.start()
                self.assertTrue(server.wait_for_requests(1))
                check.abort()
                thread.join(DEADLINE)
                self.assertEqual(len(outcomes), 1)
                self.assertIsNotNone(outcomes[0].reason)
                self.assertTrue(server.wait_for_open(0))
                server.mode = Mode.OK
                self.assert_reason(check, None)

    def test_a_check_aborted_on_a_kept_connection_is_not_begun_anew(self):
        server = self.serve()
        check = self.check(server.url, timeout=60)
        self.assert_reason(check, None)
        server.mode = Mode.MUTE
        thread = threading.Thread(target=self.run_once, args=(check,))
        thread.start()
        self.assertTrue(server.wait_for_requests(2))
        check.abort()
        thread.join(DEADLINE)
        self.assertFalse(thread.is_alive())
        self.assertEqual(server.requests, 2)

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


class UnreachableTest(HttpCheckTest):
    def test_a_port_where_nothing_listens_refuses(self):
        server = self.serve()
        server.refuse()
        self.assert_reason(self.check(server.url), Reason.REFUSED)

    def test_a_name_that_does_not_resolve_is_dns(self):
        self.assert_reason(self.check(f"http://{NOBODY}"), Reason.DNS)

    def test_a_host_without_a_route_is_unreachable(self):
        self.assert_reason(self.check(f"http://{NO_ROUTE}:1"), Reason.UNREACHABLE)

    def test_proxies_of_the_environment_are_not_used(self):
        server, proxy = self.serve(), self.serve()
        with unittest.mock.patch.dict(os.environ, dict.fromkeys(PROXY_VARIABLES, proxy.url), no_proxy=""):
            self.assert_reason(self.check(server.url), None)
        self.assertEqual((server.requests, proxy.connections), (1, 0))


class TlsTest(HttpCheckTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.context, self.pem = server_context(folder.name)

    def test_a_certificate_of_the_bundle_is_trusted_and_the_connection_kept(self):
        server = self.serve(tls=self.context)
        check = self.check(server.url, timeout=DEADLINE, ca_bundle=self.pem)
        self.assert_reason(check, None, within=DEADLINE)
        outcome = self.assert_reason(check, None)
        self.assertEqual(server.connections, 1)
        self.assertAlmostEqual(outcome.certificate_expires_at / 1000, time.time() + 86400, delta=3600)

    def test_a_certificate_of_an_unknown_authority_is_refused(self):
        server = self.serve(tls=self.context)
        self.assert_reason(self.check(server.url, timeout=DEADLINE), Reason.TLS, within=DEADLINE)

    def test_a_bundle_that_is_replaced_on_disk_takes_effect_at_the_next_check(self):
        server = self.serve(tls=self.context)
        with tempfile.TemporaryDirectory() as folder:
            bundle = shutil.copy(certifi.where(), folder)
            check = self.check(server.url, timeout=DEADLINE, ca_bundle=bundle)
            self.assert_reason(check, Reason.TLS, within=DEADLINE)
            shutil.copy(self.pem, bundle)
            self.assert_reason(check, None, within=DEADLINE)

    def test_a_bundle_that_cannot_be_read_is_tls_and_a_kept_connection_does_not_need_it(self):
        server = self.serve(tls=self.context)
        with tempfile.TemporaryDirectory() as folder:
            bundle = Path(shutil.copy(self.pem, folder))
            kept = self.check(server.url, timeout=DEADLINE, ca_bundle=str(bundle))
            self.assert_reason(kept, None, within=DEADLINE)
            for spoil in (lambda: bundle.write_text("half a certif"), bundle.unlink):
                spoil()
                new = self.check(server.url, timeout=DEADLINE, ca_bundle=str(bundle))
                outcome = self.assert_reason(new, Reason.TLS, within=DEADLINE)
                self.assertEqual(outcome.cause.detail, "the file of authorities cannot be read")
                self.assert_reason(kept, None, within=DEADLINE)
        self.assertEqual(server.connections, 1)

    def test_a_certificate_for_another_name_is_refused(self):
        server = self.serve(tls=self.context)
        url = server.url.replace("127.0.0.1", "localhost")
        self.assert_reason(self.check(url, timeout=DEADLINE, ca_bundle=self.pem), Reason.TLS, within=DEADLINE)

    def test_https_to_a_port_without_tls_is_tls(self):
        server = self.serve()
        self.assert_reason(self.check(server.url.replace("http:", "https:"), timeout=DEADLINE), Reason.TLS, DEADLINE)

    def test_http_to_a_port_with_tls_is_closed(self):
        server = self.serve(tls=self.context)
        self.assert_reason(self.check(server.url.replace("https:", "http:")), Reason.CLOSED)

    def test_a_handshake_that_is_not_answered_or_drips(self):
        for serve in (lambda server, sock: server.ignore(sock), drip_handshake):
            with ScriptedServer(serve) as server:
                self.assert_reason(
                    self.check(f"https://127.0.0.1:{server.port}", timeout=0.3), Reason.TIMEOUT, within=DEADLINE
                )

    @unittest.mock.patch("app.net.tls.ALERT_SECONDS", 0.1)
    def test_faults_within_tls_have_the_words_of_those_without(self):
        for mode, reason in [
            (Mode.CLOSE, Reason.CLOSED),
            (Mode.RESET, Reason.CLOSED),
            (Mode.CLOSE_REUSED, None),
            (Mode.PARTIAL, Reason.PROTOCOL),
            (Mode.DRIP_BODY, None),
        ]:
            with self.subTest(mode):
                server = self.serve(mode, tls=self.context)
                check = self.check(server.url, timeout=DEADLINE, ca_bundle=self.pem)
                for _ in range(2):
                    self.assert_reason(check, reason, within=DEADLINE)

    def test_a_peer_that_refuses_the_absence_of_our_certificate_after_the_handshake_is_tls(self):
        alert = ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required")
        alert.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        error = urllib3.exceptions.SSLError(alert)  # without a cause or a context, as urllib3 raises it
        self.assertEqual(self.check("https://127.0.0.1:1").cause(error), CERTIFICATE_REFUSED)

    @unittest.mock.patch.multiple("app.net.tls", LOOK_SECONDS=DEADLINE, ALERT_SECONDS=DEADLINE)
    def test_a_server_that_closes_after_the_tls_handshake_is_asked_once_more_whether_it_refuses_us(self):
        for script, reason in ((closing(self.context), Reason.CLOSED), (refusing_late(self.context), Reason.TLS)):
            with self.subTest(reason), ScriptedServer(script) as server:
                check = self.check(f"https://127.0.0.1:{server.port}", timeout=DEADLINE, ca_bundle=self.pem)
                outcome = self.assert_reason(check, reason, within=DEADLINE)
                self.assertEqual(outcome.cause == CERTIFICATE_REFUSED, reason is Reason.TLS)
                self.assertEqual(server.connections, 2)

    def test_abort_reaches_a_check_over_tls(self):
        server = self.serve(Mode.DRIP_HEAD, tls=self.context)
        check = self.check(server.url, timeout=60, ca_bundle=self.pem)
        thread = threading.Thread(target=self.run_once, args=(check,))
        thread.start()
        self.assertTrue(server.wait_for_requests(1))
        check.abort()
        thread.join(DEADLINE)
        self.assertFalse(thread.is_alive())
        self.assertEqual(server.connections, 1)


class GrowthTest(HttpCheckTest):
    def test_a_hundred_faults_leave_no_thread_and_no_descriptor(self):
        server = self.serve()
        check = self.check(server.url, timeout=DEADLINE)
        self.run_once(check)
        threads, descriptors = other_threads(), len(os.listdir("/proc/self/fd"))
        modes = [
            Mode.OK,
            Mode.RESET,
            Mode.CLOSE,
            Mode.GARBAGE,
            Mode.STATUS_503,
            Mode.ENDLESS_BODY,
            Mode.MUTE,
            Mode.PARTIAL,
            Mode.DRIP_HEAD,
            Mode.REDIRECT,
        ]
        for number in range(100):
            server.mode = modes[number % len(modes)]
            if server.mode not in (Mode.MUTE, Mode.DRIP_HEAD):
                self.run_once(check)
                continue
            requests = server.requests
            thread = threading.Thread(target=self.run_once, args=(check,))
            thread.start()
            self.assertTrue(server.wait_for_requests(requests + 1))
            check.abort()
            thread.join(DEADLINE)
        server.mode = Mode.OK
        self.assertIsNone(self.run_once(check).reason)
        self.assertTrue(server.wait_for_open(1))
        self.assertEqual(other_threads(), threads)
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), descriptors)
        self.assertEqual(server.most_at_once, 1)


if __name__ == "__main__":
    unittest.main()
