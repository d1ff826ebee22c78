"""Who may see more than the probes."""

import base64
import unittest

from flask import Flask

from app.web import access


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class TokenTest(unittest.TestCase):
    def client(self, token):
        app = Flask(__name__, static_folder=None)
        access.init_app(app, token, {"/health", "/health/live", "/health/ready"})
        for path in ("/health", "/health/live", "/health/ready", "/health/details", "/"):
            app.add_url_rule(path, path, lambda: "seen")
        return app.test_client()

    def test_without_a_token_everything_is_open(self):
        self.assertEqual(self.client("").get("/health/details").status_code, 200)

    def test_probes_stay_open_and_nothing_else(self):
        client = self.client("secret")
        for path, status in [
            ("/health", 200),
            ("/health/live", 200),
            ("/health/ready", 200),
            ("/health/details", 401),
            ("/", 401),
            ("/nothing", 401),
            ("/health/", 401),
        ]:
            with self.subTest(path):
                self.assertEqual(client.get(path).status_code, status)

    def test_the_token_is_taken_as_bearer_or_as_basic_password_of_any_user(self):
        client = self.client("secret")
        for header, status in [
            ("Bearer secret", 200),
            (basic("", "secret"), 200),
            (basic("anyone", "secret"), 200),
            ("Bearer Secret", 401),
            ("Bearer ", 401),
            ("Bearer", 401),
            (basic("secret", ""), 401),
            (basic("secret", "x"), 401),
            ("Basic !!!", 401),
            ("Digest secret", 401),
            ("Bearer sécret", 401),
            ("bearer  secret ", 200),
            ("BASIC " + basic("", "secret")[6:], 200),
            (basic("Zo\u00eb", "secret"), 200),
            ("Basic " + base64.b64encode("Zo\u00eb:secret".encode("latin-1")).decode(), 200),
            (basic("a:secret", "secret"), 401),
            ("secret", 401),
            ("", 401),
            ("Bearer secret, Bearer secret", 401),
        ]:
            with self.subTest(header):
                answer = client.get("/", headers={"Authorization": header})
                self.assertEqual(answer.status_code, status)

    def test_any_token_that_can_be_set_can_be_used(self):
        for token in ("a=b", "a=b,c=d", '"quoted"', "a:b", "ends=="):
            for header in (f"Bearer {token}", basic("", token)):
                with self.subTest(header):
                    answer = self.client(token).get("/", headers={"Authorization": header})
                    self.assertEqual(answer.status_code, 200)

    def test_a_request_without_the_token_is_offered_both_schemes_and_nothing_else(self):
        answer = self.client("secret").get("/")
        self.assertEqual([each.split()[0] for each in answer.headers.getlist("WWW-Authenticate")], ["Basic", "Bearer"])
        self.assertEqual(answer.get_json(), {"type": "about:blank", "title": "Unauthorized", "status": 401})


class OriginTest(unittest.TestCase):
    def test_an_origin_is_foreign_as_in_the_table(self):
        for origin, host, foreign in [
            (None, "health.example", False),
            ("http://health.example", "health.example", False),
            ("https://HEALTH.example", "health.EXAMPLE", False),
            ("http://health.example:8080", "health.example:8080", False),
            ("http://health.example:80", "health.example", True),
            ("http://other.example", "health.example", True),
            ("http://health.example.evil", "health.example", True),
            ("null", "health.example", True),
            ("", "health.example", True),
            ("health.example", "health.example", True),
            ("http://health.example/", "health.example", True),
            ("http://user@health.example", "health.example", True),
            ("http://[::1]:8080", "[::1]:8080", False),
            ("file://", "health.example", True),
            ("http://health.example", "health.example:80", True),
            ("HTTPS://ALLOWED.example", "health.example", False),
            ("https://allowed.example:443", "health.example", True),
            ("https://allowed.example", "health.example", False),
            ("http://allowed.example", "health.example", True),
        ]:
            with self.subTest(origin=origin, host=host):
                allowed = ("https://allowed.example",)
                self.assertEqual(access.foreign_origin(origin, host, allowed), foreign)


if __name__ == "__main__":
    unittest.main()
