"""Which requests are WebSocket handshakes, and what simple-websocket sees of them."""

import socket
import unittest

from simple_websocket import Server

from app.connections.handshake import SOCKET_KEY, HeldSocket, hold_answer, no_thread, refusal

HANDSHAKE = {
    "REQUEST_METHOD": "GET",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "a",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "keep-alive, Upgrade",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "HTTP_SEC_WEBSOCKET_KEY": "AAAAAAAAAAAAAAAAAAAAAA==",
}


class RefusalTest(unittest.TestCase):
    def test_a_proper_handshake_is_not_refused(self):
        self.assertIsNone(refusal(HANDSHAKE))
        self.assertIsNone(refusal(HANDSHAKE | {"HTTP_UPGRADE": "WebSocket", "HTTP_CONNECTION": "upgrade"}))

    def test_every_other_request_gets_426_or_400(self):
        for status, change in [
            (426, {"HTTP_UPGRADE": None}),
            (426, {"HTTP_UPGRADE": "h2c"}),
            (426, {"HTTP_SEC_WEBSOCKET_VERSION": None}),
            (426, {"HTTP_SEC_WEBSOCKET_VERSION": "8"}),
            (400, {"HTTP_CONNECTION": None}),
            (400, {"HTTP_CONNECTION": "close"}),
            (400, {"REQUEST_METHOD": "POST"}),
            (400, {"SERVER_PROTOCOL": "HTTP/1.0"}),
            (400, {"HTTP_HOST": None}),
            (400, {"HTTP_SEC_WEBSOCKET_KEY": None}),
            (400, {"HTTP_SEC_WEBSOCKET_KEY": "short"}),
            (400, {"HTTP_SEC_WEBSOCKET_KEY": "ä" * 24}),
            (400, {"HTTP_SEC_WEBSOCKET_KEY": "AAAA"}),
        ]:
            environ = HANDSHAKE | change
            environ = {key: environ[key] for key in environ if environ[key] is not None}
            with self.subTest(change):
                self.assertEqual(refusal(environ), status)


class HeldAnswerTest(unittest.TestCase):
    def answer(self, **headers):
        """What simple-websocket answers to a handshake with these headers too."""
        with socket.socket() as sock:
            environ = HANDSHAKE | headers | {SOCKET_KEY: sock, "PATH_INFO": "/ws"}
            self.assertIsNone(refusal(environ))
            hold_answer(environ)
            handshake = Server(environ, thread_class=no_thread)
            self.assertIsInstance(handshake.sock, HeldSocket)
            self.assertIs(handshake.sock.sock, sock)
            return handshake.sock.answer

    def test_it_is_held_back(self):
        head = self.answer()
        self.assertTrue(head.startswith(b"HTTP/1.1 101 "))
        self.assertTrue(head.endswith(b"\r\n\r\n"))

    def test_compression_is_not_agreed_to(self):
        head = self.answer(HTTP_SEC_WEBSOCKET_EXTENSIONS="permessage-deflate; client_max_window_bits")
        self.assertNotIn(b"extensions", head.lower())

    def test_headers_that_simple_websocket_could_not_read_change_nothing(self):
        for name, value in [
            ("HTTP_SEC_WEBSOCKET_PROTOCOL", "\xff"),
            ("HTTP_CONNECTION", "Upgrade, \xff"),
            ("HTTP_HOST", "\xff"),
            ("HTTP_HOST", "a" * 70 + ".example"),
            ("HTTP_COOKIE", "\x01"),
        ]:
            with self.subTest(name):
                self.assertEqual(self.answer(**{name: value}), self.answer())

    def test_a_server_that_gives_no_socket_away_is_an_error_before_any_answer(self):
        with self.assertRaises(KeyError):
            hold_answer(dict(HANDSHAKE))
