"""One attempt to reach a WebSocket server, with real peers."""

import itertools
import os
import select
import shutil
import socket
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

import certifi

from app.connections.dialler import DialFailed, Dialler
from app.connections.target import Target
from app.net.reason import Reason
from app.net.resolver import Resolver
from tests.fakes import DEADLINE
from tests.peers.certificates import server_context
from tests.peers.ports import reserve_port
from tests.peers.service import eventually
from tests.peers.tcp_server import ScriptedServer, closing, refusing_late
from tests.peers.websocket import read_all, read_head, switching_protocols, upstream


def answering(*parts, end=True):
    """A script that reads a handshake and sends these bytes."""

    def script(server, sock):
        read_head(sock)
        for part in parts:
            sock.sendall(part)
        if not end:
            server.ignore(sock)

    return script


def dripping(text):
    """A script that sends `text` a byte at a time, over and over, until the peer has had enough."""

    def script(server, sock):
        for byte in itertools.cycle(text):
            sock.sendall(bytes([byte]))
            if select.select([sock], [], [], 0.01)[0] and not sock.recv(4096):
                return

    return script


class DialCase(unittest.TestCase):
    def serving(self, script):
        return self.enterContext(ScriptedServer(script)).port

    def dial(self, url, timeout=DEADLINE, ca_bundle=None, resolver=None):
        dialler = Dialler(timeout, 5.0, ca_bundle or certifi.where(), resolver or Resolver())
        return dialler.dial(Target.parse(url))

    def ending_of(self, websocket):
        """How it ends when everything that comes is read."""
        return websocket.run("upstream a", websocket.receive_all)

    def assert_fails(self, text, url, **options):
        with self.assertRaises(DialFailed) as raised:
            self.dial(url, **options)
        self.assertRegex(str(raised.exception), f"^{text}( \\(.*\\))?$")
        self.assertEqual(raised.exception.reason, str(raised.exception).partition(" ")[0])


class FailureTest(DialCase):
    def test_each_answer_that_does_not_accept_has_its_reason(self):
        for text, script in [
            (r"http_status \(answered 503\)", answering(b"HTTP/1.1 503 secret\r\n\r\n")),
            (r"http_status \(answered 200\)", answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
            (r"redirect \(answered 302\)", answering(b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\n\r\n")),
            (r"auth \(answered 401\)", answering(b"HTTP/1.1 401 Unauthorized\r\n\r\n")),
            (r"auth \(answered 403\)", answering(b"HTTP/1.1 403 Forbidden\r\n\r\n")),
            ("protocol", answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")),
            ("protocol", answering(switching_protocols(b"Sec-WebSocket-Key: wrong\r\n"))),
            ("protocol", answering(b"HTTP/1.1 101 x\r\nSec-WebSocket-Protocol: \xff\r\n\r\n")),
            ("protocol", answering(b"HTTP/1.1 101 x\r\na: ", b"b" * 300_000, end=False)),
            ("closed", answering()),
            ("closed", answering(b"HTTP/1.1 101 Swi")),
        ]:
            with self.subTest(text):
                self.assert_fails(text, f"ws://127.0.0.1:{self.serving(script)}/")

    def test_a_port_where_nothing_listens_refuses(self):
        with reserve_port() as reserved:
            self.assert_fails("refused", f"ws://127.0.0.1:{reserved.getsockname()[1]}/")

    def test_a_peer_that_is_mute_or_drips_is_held_to_the_timeout(self):
        mute = self.serving(lambda server, sock: server.ignore(sock))
        drips = self.serving(dripping(b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"x" * 1000))
        for url in (f"ws://127.0.0.1:{mute}/", f"wss://127.0.0.1:{mute}/", f"ws://127.0.0.1:{drips}/"):
            with self.subTest(url):
                self.assert_fails("timeout", url, timeout=0.2)

    def test_a_name_is_resolved_within_the_timeout(self):
        release = threading.Event()
        self.addCleanup(release.set)

        def getaddrinfo(host, *arguments, flags=0, **options):
            if host == "hanging" and not flags:
                release.wait(DEADLINE)
            raise socket.gaierror(socket.EAI_NONAME, "no such name")

        self.assert_fails("dns", "ws://a/", resolver=Resolver(getaddrinfo))
        self.assert_fails("timeout", "ws://hanging/", timeout=0.1, resolver=Resolver(getaddrinfo))

    def test_a_look_up_for_which_there_is_no_thread_is_an_error(self):
        def getaddrinfo(*arguments, **options):
            raise socket.gaierror(socket.EAI_NONAME, "not an address")

        with mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")):
            self.assert_fails(r"error", "ws://a/", resolver=Resolver(getaddrinfo))

    def test_failing_leaves_no_descriptor_open(self):
        port = self.serving(answering(b"HTTP/1.1 503 x\r\n\r\n", end=False))
        descriptors = len(os.listdir("/proc/self/fd"))
        self.assert_fails(".*503.*", f"ws://127.0.0.1:{port}/")
        with mock.patch("os.pipe", side_effect=OSError(24, "Too many open files")), upstream(read_all) as other:
            self.assert_fails(r"error", f"ws://127.0.0.1:{other}/")
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), descriptors + 1)  # the server's own


class HandshakeTest(DialCase):
    def test_it_carries_host_with_port_the_query_and_credentials(self):
        heads = []
        port = self.serving(lambda server, sock: heads.append(read_head(sock)))
        self.assert_fails("closed", f"ws://Aladdin:open%20sesame@127.0.0.1:{port}/feed?a=b")
        lines = heads[0].decode().split("\r\n")
        self.assertEqual(lines[0], "GET /feed?a=b HTTP/1.1")
        self.assertIn(f"Host: 127.0.0.1:{port}", lines)
        self.assertIn("Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", lines)
        self.assertNotIn("sec-websocket-extensions", heads[0].decode().lower())

    def test_what_comes_in_one_segment_with_the_answer_is_received(self):
        def script(server, sock):
            sock.sendall(switching_protocols(read_head(sock)) + b"\x89\x00\x88\x02\x03\xe9")
            received.append(sock.recv(100))
            done.set()
            server.ignore(sock)

        received, done = [], threading.Event()
        end = self.ending_of(self.dial(f"ws://127.0.0.1:{self.serving(script)}/"))
        self.assertEqual((end.code, end.reason), (1001, Reason.CLOSED))
        eventually(lambda: received)
        self.assertTrue(done.wait(DEADLINE))
        self.assertEqual(received[0][:2], b"\x8a\x80")

    def test_our_close_frame_is_waited_for_until_it_is_answered(self):
        codes = []

        def handler(server):
            read_all(server)
            codes.append(server.close_code)

        with upstream(handler) as port:
            websocket = self.dial(f"ws://127.0.0.1:{port}/")
            websocket.close(1001)
            self.assertEqual(self.ending_of(websocket).code, 1001)
            eventually(lambda: codes == [1001])


class TlsTest(DialCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.context, cls.ca_bundle = server_context(cls.folder)

    def test_messages_larger_than_a_record_arrive_and_a_redial_follows_at_once(self):
        def handler(server):
            for size in (5_000, 20_000, 100_000):
                server.send("x" * size)
            server.close(4000)

        with upstream(handler, tls=self.context) as port:
            for _ in range(20):
                end = self.ending_of(self.dial(f"wss://127.0.0.1:{port}/", ca_bundle=self.ca_bundle))
                self.assertEqual(end.code, 4000)

    def test_a_certificate_that_is_not_trusted_or_for_another_name_is_tls(self):
        def getaddrinfo(*arguments, **options):
            return socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)

        with upstream(read_all, tls=self.context) as port:
            self.assert_fails("tls .*self-signed.*", f"wss://127.0.0.1:{port}/")
            other = {"ca_bundle": self.ca_bundle, "resolver": Resolver(getaddrinfo)}
            self.assert_fails("tls", "wss://other.example/", **other)

    def test_a_peer_without_tls_and_a_missing_bundle_are_tls(self):
        port = self.serving(lambda server, sock: sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
        self.assert_fails("tls", f"wss://127.0.0.1:{port}/")
        words = r"tls \(the file of authorities cannot be read\)"
        self.assert_fails(words, f"wss://127.0.0.1:{port}/", ca_bundle="/nonexistent.pem")

    @mock.patch.multiple("app.net.tls", LOOK_SECONDS=DEADLINE, ALERT_SECONDS=DEADLINE)
    def test_a_server_that_closes_after_the_tls_handshake_is_asked_once_more_whether_it_refuses_us(self):
        context, ca_bundle = server_context(self.enterContext(tempfile.TemporaryDirectory()))
        for script, text in [
            (closing(context), r"closed \(connection closed without an answer\)"),
            (refusing_late(context), r"tls \(the peer refused our certificate, or its absence\)"),
        ]:
            with self.subTest(text), ScriptedServer(script) as server:
                self.assert_fails(text, f"wss://127.0.0.1:{server.port}/", ca_bundle=ca_bundle)
                self.assertEqual(server.connections, 2)

    def test_a_bundle_that_is_replaced_on_disk_takes_effect_at_the_next_dial(self):
        bundle = str(Path(self.folder, "bundle.pem"))
        shutil.copy(certifi.where(), bundle)
        with upstream(read_all, tls=self.context) as port:
            self.assert_fails("tls .*", f"wss://127.0.0.1:{port}/", ca_bundle=bundle)
            shutil.copy(self.ca_bundle, bundle)
            websocket = self.dial(f"wss://127.0.0.1:{port}/", ca_bundle=bundle)
            websocket.close(1000)
            self.assertEqual(self.ending_of(websocket).code, 1000)


class CycleTest(DialCase):
    def test_connecting_and_closing_leave_no_descriptor(self):
        with upstream(read_all) as port:
            for number in range(30):
                websocket = self.dial(f"ws://127.0.0.1:{port}/")
                if number == 0:  # the server has all that it keeps
                    before = len(os.listdir("/proc/self/fd"))
                websocket.close(1000)
                self.ending_of(websocket)
            eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)  # the server closes its own later
