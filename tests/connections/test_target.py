"""Where a URL leads."""

import unittest

from app.connections.target import Target


class TestTarget(unittest.TestCase):
    def test_a_url_is_host_port_and_what_to_ask_for(self):
        for url, host, port, secure, request_target, host_header in [
            ("ws://a", "a", 80, False, "/", "a"),
            ("wss://a/x", "a", 443, True, "/x", "a"),
            ("ws://a:81/x?y=1&z=%20", "a", 81, False, "/x?y=1&z=%20", "a:81"),
            ("wss://a:80/", "a", 80, True, "/", "a:80"),
            ("ws://[::1]:8080/ws#part", "::1", 8080, False, "/ws", "[::1]:8080"),
            ("ws://a?q=?", "a", 80, False, "/?q=?", "a"),
            ("ws://a/ä b", "a", 80, False, "/%C3%A4%20b", "a"),
        ]:
            with self.subTest(url):
                target = Target.parse(url)
                self.assertEqual(
                    (target.host, target.port, target.secure, target.request_target, target.host_header),
                    (host, port, secure, request_target, host_header),
                )
                self.assertEqual(target.headers, [])

    def test_userinfo_becomes_basic_authorization(self):
        for url, value in [
            ("ws://Aladdin:open%20sesame@a/", b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ("ws://user@a/", b"Basic dXNlcjo="),
        ]:
            with self.subTest(url):
                self.assertEqual(Target.parse(url).headers, [(b"Authorization", value)])

    def test_no_repr_shows_credentials_or_query(self):
        self.assertNotIn("secret", repr(Target.parse("ws://secret:secret@a/?token=secret")))

    def test_a_url_of_another_kind_is_refused_without_being_quoted(self):
        for url in ("", "http://secret@a/", "ws:///secret", "ws://secret:x@a:port/", "ws://[secret/", "secret"):
            with self.subTest(url), self.assertRaises(ValueError) as raised:
                Target.parse(url)
            self.assertNotIn("secret", str(raised.exception))
            self.assertIsNone(raised.exception.__cause__)
