"""The headers that tell a browser what it may do."""

import unittest

from app.factory import create_app
from app.settings import Settings
from app.web.security_headers import HEADERS


class SecurityHeadersTest(unittest.TestCase):
    def setUp(self):
        self.client = create_app(Settings.load({"PROBE_WAIT_SECONDS": "0"})).test_client()

    def test_they_are_on_everything_but_the_probes(self):
        for path in ("/", "/static/page.css", "/static/none.css", "/health/details", "/metrics", "/ws", "/none"):
            with self.subTest(path):
                self.assertLessEqual(HEADERS.items(), dict(self.client.get(path, buffered=True).headers).items())

    def test_a_probe_has_the_headers_of_the_contract_and_no_others(self):
        ours = {"Content-Type", "Cache-Control", "Content-Length"}
        for path, headers in (
            ("/health", {*ours, "Vary"}),
            ("/health/live", ours),
            ("/health/ready", ours),
            ("/health/mongodb", ours),
        ):
            with self.subTest(path):
                self.assertEqual(set(self.client.get(path).headers.keys()), headers)

    def test_a_refusal_has_them_too(self):
        client = create_app(Settings.load({"STATUS_TOKEN": "sesame"})).test_client()
        self.assertLessEqual(HEADERS.items(), dict(client.get("/").headers).items())

    def test_the_policy_begins_with_nothing_and_allows_no_inline_code(self):
        policy = HEADERS["Content-Security-Policy"]
        self.assertTrue(policy.startswith("default-src 'none'; "))
        for word in ("unsafe", "*", "http:", "https:", "data:"):
            self.assertNotIn(word, policy)
