import base64
import contextlib
import errno
import hashlib
import socket
import ssl
import threading
import time
import unittest

from simple_websocket import ConnectionError as HandshakeRefused
from wsproto.utilities import RemoteProtocolError

from app.connections.deadline import Cancelled
from app.connections.dialler import DialFailed, Dialler, reason
from app.connections.resolver import Resolver
from app.connections.target import Target
from tests.connections.fakes import DEADLINE
from tests.connections.peers import (
    Certificate,
    descriptors,
    drip,
    eventually,
    http_answer,
    mute,
    raw_server,
    read_all,
    read_head,
    threads_named,
    upstream,
)
from tests.requirement import need


def accept_key(head):
    nonce = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    return base64.b64encode(hashlib.sha1(nonce + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


def switching_protocols(key):
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + key + b"\r\n\r\n"
    )


class DialCase(unittest.TestCase):
    def setUp(self):
        self.messages = []
        self.received = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)

    def on_message(self, message):
        self.messages.append(message)
        self.received.release()

    def dial(self, url, timeout=2.0, ping_interval=5.0, cancelled=lambda: False, **options):
        dialler = Dialler(timeout=timeout, ping_interval=ping_interval, **options)
        websocket = dialler.dial(
            Target.parse(url),
            name="upstream-test",
            keep_messages=True,
            on_message=self.on_message,
            on_end=lambda websocket: self.ended.release(),
            cancelled=cancelled,
        )
        self.addCleanup(websocket.finish, 1)
        self.addCleanup(websocket.close)
        return websocket

    def assert_fails(self, why, url, **options):
        with self.assertRaisesRegex(DialFailed, why):
            self.dial(url, **options)
        self.assertEqual(threads_named("upstream-"), [])


class TestFailures(DialCase):
    def test_each_has_its_word_and_is_told_at_once(self):
        def after_head(*parts):
            def script(sock):
                read_head(sock)
                for part in parts:
                    sock.sendall(part)
                if not parts[-1].endswith(b"\n"):
                    sock.close()

            return script

        garbage = b"SSH-2.0-OpenSSH_9.2\r\n\r\n"
        for why, script in [
            ("http_status 403", http_answer("403 Forbidden")),
            ("http_status 302", http_answer("302 Found")),
            ("http_status 200", http_answer("200 OK")),
            ("protocol", lambda sock: sock.sendall(garbage)),
            ("protocol", after_head(switching_protocols(b"wrong"))),
            ("protocol", after_head(b"HTTP/1.1 101 x\r\nSec-WebSocket-Protocol: \xff\r\n\r\n")),
            ("protocol", after_head(b"HTTP/1.1 101 x\r\na: ", b"b" * 300_000, b"\n")),
            ("closed", after_head(b"")),
            ("closed", after_head(b"HTTP/1.1 101 Swi")),
        ]:
            with self.subTest(why), raw_server(script) as (port, _):
                begin = time.monotonic()
                self.assert_fails(why, f"ws://127.0.0.1:{port}/", timeout=DEADLINE)
                self.assertLess(time.monotonic() - begin, 3)

    def test_a_port_where_nobody_listens_refuses(self):
        with socket.create_server(("127.0.0.1", 0)) as sock:
            port = sock.getsockname()[1]
        self.assert_fails("refused", f"ws://127.0.0.1:{port}/")

    def test_a_peer_that_says_nothing_or_drips_takes_no_longer_than_the_timeout(self):
        answer = b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"x" * 1000
        for script in (mute, drip(answer, 0.02)):
            with raw_server(script) as (port, _):
                begin = time.monotonic()
                self.assert_fails("timeout", f"ws://127.0.0.1:{port}/", timeout=0.4)
                self.assertTrue(0.35 < time.monotonic() - begin < 1.5)

    def test_so_does_a_peer_that_says_nothing_of_tls(self):
        with raw_server(mute) as (port, _):
            begin = time.monotonic()
            self.assert_fails("timeout", f"wss://127.0.0.1:{port}/", timeout=0.4)
            self.assertLess(time.monotonic() - begin, 1.5)

    def test_a_name_that_does_not_resolve_is_dns(self):
        def getaddrinfo(*arguments, **options):
            raise socket.gaierror(socket.EAI_NONAME, "no")

        self.assert_fails("^dns$", "ws://a/", resolver=Resolver(getaddrinfo))

    def test_a_name_server_that_does_not_answer_takes_no_longer_than_the_timeout(self):
        release = threading.Event()

        def getaddrinfo(*arguments, flags=0, **options):
            if not flags:
                release.wait(DEADLINE)
            raise socket.gaierror(socket.EAI_NONAME, "no")

        begin = time.monotonic()
        self.assert_fails("^timeout$", "ws://a/", timeout=0.3, resolver=Resolver(getaddrinfo))
        self.assertLess(time.monotonic() - begin, 1.5)
        release.set()
        eventually(lambda: not threads_named("resolve"))

    def test_a_bundle_that_cannot_be_read_is_told_safely(self):
        with raw_server(mute) as (port, _):
            self.assert_fails("error .no such file", f"wss://127.0.0.1:{port}/", ca_bundle="/nonexistent.pem")

    def test_the_words_are_the_checks_own_and_name_no_address(self):
        for error, words in [
            (HandshakeRefused(403), "http_status 403"),
            (RemoteProtocolError("Bad HTTP message"), "protocol (Bad HTTP message)"),
            (UnicodeDecodeError("ascii", b"\xff", 0, 1, "x"), "protocol"),
            (socket.gaierror(socket.EAI_AGAIN, "x"), "dns"),
            (TimeoutError("out of time"), "timeout"),
            (OSError(errno.ETIMEDOUT, "x"), "timeout"),
            (OSError(errno.ECONNREFUSED, "x"), "refused"),
            (OSError(errno.ECONNRESET, "x"), "closed"),
            (OSError(errno.EHOSTUNREACH, "x"), "unreachable"),
            (OSError(errno.ENETUNREACH, "x"), "unreachable"),
            (OSError(errno.EACCES, "Permission denied"), "error (permission denied)"),
            (ssl.SSLError(1, "x"), "tls (closed)"),
        ]:
            with self.subTest(words):
                self.assertEqual(reason(error), words)


class TestAddresses(DialCase):
    def resolving_to(self, *addresses):
        real = socket.getaddrinfo

        def getaddrinfo(host, port, type=0, flags=0):
            if flags:
                raise socket.gaierror(socket.EAI_NONAME, "a name")
            return [real(*address, type=type)[0] for address in addresses]

        return Resolver(getaddrinfo)

    def test_every_address_of_a_name_is_tried(self):
        with socket.create_server(("127.0.0.1", 0)) as sock:
            closed = sock.getsockname()
        with raw_server(http_answer("404 Not Found")) as (other, _), upstream(read_all) as port:
            resolver = self.resolving_to(closed, ("127.0.0.1", other), ("127.0.0.1", port))
            self.assertTrue(self.dial("ws://a/", resolver=resolver).connected)

    def test_one_that_swallows_packets_leaves_time_for_the_next(self):
        # a full queue of connections to accept drops what comes to it
        with contextlib.ExitStack() as stack, upstream(read_all) as port:
            full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            resolver = self.resolving_to(full.getsockname(), ("127.0.0.1", port))
            begin = time.monotonic()
            self.assertTrue(self.dial("ws://a/", timeout=1.0, resolver=resolver).connected)
            self.assertTrue(0.4 < time.monotonic() - begin < 1.0)

    def test_when_all_fail_the_last_one_says_why(self):
        with raw_server(http_answer("404 Not Found")) as (port, _):
            resolver = self.resolving_to(("127.0.0.1", 1), ("127.0.0.1", port))
            self.assert_fails("http_status 404", "ws://a/", resolver=resolver)


class TestCancelling(DialCase):
    def test_a_dial_that_is_no_longer_wanted_ends_promptly_wherever_it_is(self):
        with raw_server(mute) as (port, _):
            for scheme in ("ws", "wss"):
                cancelled = threading.Event()
                threading.Timer(0.1, cancelled.set).start()
                begin = time.monotonic()
                with self.subTest(scheme), self.assertRaises(Cancelled):
                    self.dial(f"{scheme}://127.0.0.1:{port}/", timeout=DEADLINE, cancelled=cancelled.is_set)
                self.assertLess(time.monotonic() - begin, 1)


class TestHandshake(DialCase):
    def test_it_carries_host_with_port_the_query_and_credentials(self):
        heads = []
        with raw_server(lambda sock: heads.append(read_head(sock))) as (port, _), self.assertRaises(DialFailed):
            self.dial(f"ws://Aladdin:open%20sesame@127.0.0.1:{port}/feed?a=b", timeout=0.2)
        lines = heads[0].decode().split("\r\n")
        self.assertEqual(lines[0], "GET /feed?a=b HTTP/1.1")
        self.assertIn(f"Host: 127.0.0.1:{port}", lines)
        self.assertIn("Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", lines)
        self.assertNotIn("sec-websocket-extensions", heads[0].decode().lower())

    def test_an_ipv6_address_works(self):
        need(socket.has_ipv6, "IPv6 on loopback")

        def script(sock):
            sock.sendall(switching_protocols(accept_key(read_head(sock))))
            mute(sock)

        with raw_server(script, family=socket.AF_INET6, host="::1") as (port, _):
            self.assertTrue(self.dial(f"ws://[::1]:{port}/").connected)

    def test_a_first_frame_in_one_segment_with_the_answer_is_delivered(self):
        def script(sock):
            sock.sendall(switching_protocols(accept_key(read_head(sock))) + b"\x81\x05hello")
            mute(sock)

        with raw_server(script) as (port, _):
            self.dial(f"ws://127.0.0.1:{port}/")
            self.assertTrue(self.received.acquire(timeout=2))
        self.assertEqual(self.messages, ["hello"])

    def test_a_close_frame_in_one_segment_with_the_answer_ends_it(self):
        def script(sock):
            sock.sendall(switching_protocols(accept_key(read_head(sock))) + b"\x88\x02\x03\xe9")
            mute(sock)

        with raw_server(script) as (port, _):
            websocket = self.dial(f"ws://127.0.0.1:{port}/")
            self.assertTrue(self.ended.acquire(timeout=2))
        self.assertEqual(websocket.close_reason, 1001)


class TestTLS(DialCase):
    @classmethod
    def setUpClass(cls):
        cls.certificate = Certificate()
        cls.addClassCleanup(cls.certificate.close)

    def test_messages_over_4_kib_come_whole_and_at_once(self):
        sizes = (5_000, 20_000, 100_000)

        def handler(websocket):
            for size in sizes:
                websocket.send("x" * size)
            read_all(websocket)

        with upstream(handler, tls=self.certificate.server_context) as port:
            self.dial(f"wss://localhost:{port}/", ca_bundle=self.certificate.path)
            for _ in sizes:
                self.assertTrue(self.received.acquire(timeout=3))
        self.assertEqual([len(message) for message in self.messages], list(sizes))

    def test_an_immediate_redial_works_again_and_again(self):
        def handler(websocket):
            websocket.send("x" * 10_000)
            read_all(websocket)

        with upstream(handler, tls=self.certificate.server_context) as port:
            for _ in range(30):
                websocket = self.dial(f"wss://127.0.0.1:{port}/", ca_bundle=self.certificate.path)
                self.assertTrue(self.received.acquire(timeout=DEADLINE))
                websocket.close()
                websocket.finish()
        self.assertEqual({len(message) for message in self.messages}, {10_000})

    def test_a_certificate_of_nobody_we_trust_or_for_another_name_is_tls(self):
        def getaddrinfo(*arguments, **options):
            return socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)

        with upstream(read_all, tls=self.certificate.server_context) as port:
            self.assert_fails("^tls .*self-signed", f"wss://localhost:{port}/")
            self.assert_fails(
                "^tls .*mismatch",
                f"wss://127.0.0.2:{port}/",
                ca_bundle=self.certificate.path,
                resolver=Resolver(getaddrinfo),
            )

    def test_a_peer_that_speaks_no_tls_is_tls(self):
        answer = b"HTTP/1.1 400 Bad Request\r\n\r\n"
        with raw_server(lambda sock: sock.sendall(answer)) as (port, _):
            self.assert_fails("^tls", f"wss://127.0.0.1:{port}/")


class TestCycles(DialCase):
    def test_connecting_and_closing_leave_no_thread_and_no_descriptor(self):
        with upstream(read_all) as port:
            before = descriptors()
            for _ in range(100):
                websocket = self.dial(f"ws://127.0.0.1:{port}/")
                websocket.close()
                websocket.finish()
            self.assertEqual(threads_named("upstream-"), [])
            eventually(lambda: descriptors() <= before + 1)

    def test_failing_leaves_none_either(self):
        with raw_server(http_answer("403 Forbidden")) as (port, _):
            ours = descriptors()
            for _ in range(50):
                self.assert_fails("http_status 403", f"ws://127.0.0.1:{port}/")
            self.assertLessEqual(descriptors(), ours + 50)  # the server's own, open until it ends


if __name__ == "__main__":
    unittest.main()
