"""No secret is shown: not in the settings in force, not in an error line, and log lines are rid of all of them."""

import itertools
import unittest
from unittest import mock

from psycopg.pq import Conninfo

from app.settings import Settings, SettingsError
from app.settings.masks import is_secret_option

CACHE = "DEPENDENCY__CACHE__URL"
HEADERS = "DEPENDENCY__CACHE__HEADERS"

# Variable, and a value for it with a place for a password.
PASSWORDS = [
    ("MONGO_URI", "mongodb://user:{}@h:27017/"),
    ("MONGO_URI", "mongodb://h/?w=1&tlsCertificateKeyFilePassword={}"),
    ("MONGO_URI", "mongodb://h/?tlsCertificateKeyFilePassword={};w=1"),
    ("MONGO_URI", "mongodb://u:p1234@h/?authMechanismProperties=AWS_SESSION_TOKEN:{}"),
    ("AI_SERVICE_URL", "http://user:{}@h/base"),
    ("WS_UPSTREAMS", "a=ws://h,b=wss://user:{}@h/x"),
    ("WS_UPSTREAMS", "a=ws://h/x?token={}"),
    ("DEPENDENCY__MONGODB__URL", "mongodb://user:{}@h"),
    (CACHE, "redis://:{}@h"),
    (CACHE, "rediss://user:{}@h:1/0"),
    (CACHE, "postgresql://user:{}@h/db?sslmode=require"),
    (CACHE, "postgresql://h/db?sslmode=require&sslpassword={}"),
    (CACHE, "postgres://h,i/db?%70assword={}"),
    (CACHE, "https://user:{}@h/x"),
    (CACHE, "https://h/x?key={}"),
]


def everything_shown(environ):
    """All that is ever shown of these settings, good or bad."""
    try:
        settings = Settings.load(environ)
    except SettingsError as error:
        return f"{error} {error!r} {error.args}"
    shown = settings, settings.masked(), settings.dependencies, settings.model_dump(), settings.warnings(environ)
    return f"{settings} " + " ".join(map(repr, shown))


@mock.patch("ssl.SSLContext.load_default_certs", new=mock.Mock())  # MongoDB's driver would, which takes its time
class ShownTest(unittest.TestCase):
    def test_a_password_is_masked_wherever_a_url_may_hold_one(self):
        for name, url in PASSWORDS:
            for password in ("hunter2", "hunter2%2Fx%40y%3Az"):
                with self.subTest(name, url=url, password=password):
                    environ = {name: url.format(password)}
                    self.assertIn("***", Settings.load(environ).masked()[name])
                    self.assertNotIn("hunter2", everything_shown(environ))

    def test_no_part_of_a_password_is_shown_whatever_is_unescaped_in_it(self):
        passwords = [f"hunter2{odd}swordfish" for odd in (*'?=&/@#:%;, []"', "%zz", "&a=", "@?")]
        # As if 80 were the port of a host named user.
        passwords += [f"80{odd}hunter2{odd}swordfish" for odd in "/?#@"]
        for (name, url), password in itertools.product(PASSWORDS, passwords):
            with self.subTest(name, url=url, password=password):
                self.assertNotRegex(everything_shown({name: url.format(password)}), "hunter2|swordfish")

    def test_no_part_of_a_bad_secret_value_is_shown(self):
        for name, value in (
            ("MONGO_URI", "mongodb://u:hunter2@h/?bogus=1"),
            ("MONGO_URI", "mongodb://u:p@x?hunter2=1@h"),
            ("MONGO_URI", "hunter2"),
            ("MONGO_URI", "mongodb://u:%hunter2@h"),
            ("AI_SERVICE_URL", "ftp://u:hunter2@h"),
            ("AI_SERVICE_URL", "http://h?key=hunter2"),
            ("AI_SERVICE_URL", "http://u:hunter2"),
            ("WS_UPSTREAMS", "a=http://u:hunter2@h"),
            ("WS_UPSTREAMS", "a=ws://h,hunter2"),
            ("WS_ALLOWED_ORIGINS", f"https://u:hunter2{'x' * 100}@h"),
            ("STATUS_TOKEN", "hunter2 \u00fc"),
            ("STATUS_TOKEN_FILE", "/hunter2"),
            (CACHE, "hunter2"),
            (CACHE, "hunter2://h"),
            (CACHE, "redis://hunter2@h"),
            (HEADERS, '{"Authorization":"hunter2\u00fc"}'),
            (HEADERS, '{"hunter2 x":"a"}'),
            (HEADERS, '{"Authorization":"Bearer hunter2"'),
        ):
            with self.subTest(name, value=value):
                with self.assertRaises(SettingsError) as raised:
                    Settings.load({CACHE: "http://h", name: value, "PORT": "0"})
                self.assertEqual(len(raised.exception.lines), 2)
                self.assertNotIn("hunter2", f"{raised.exception} {raised.exception!r} {raised.exception.args}")

    def test_headers_are_masked_as_a_whole(self):
        environ = {CACHE: "http://h", HEADERS: '{"Authorization":"Bearer hunter2"}'}
        self.assertEqual(Settings.load(environ).masked()[HEADERS], "***")
        self.assertNotIn("hunter2", everything_shown(environ))

    def test_a_token_that_looks_like_a_url_is_secret_as_a_whole(self):
        for token in ("hunter2", "hunter2://x"):
            with self.subTest(token):
                settings = Settings.load({"STATUS_TOKEN": token})
                self.assertEqual(settings.secrets(), {token})
                self.assertEqual(settings.masked()["STATUS_TOKEN"], "***")
                self.assertNotIn("hunter2", repr(settings))

    def test_masking_leaves_names_hosts_and_options_readable(self):
        for name, value, shown in (
            (
                "MONGO_URI",
                "mongodb://u:p@h:1,i:2/db?replicaSet=r&tls=true",
                "mongodb://***@h:1,i:2/db?replicaSet=r&tls=true",
            ),
            ("AI_SERVICE_URL", "https://u:p@h:1/base", "https://***@h:1/base"),
            ("WS_UPSTREAMS", "a=ws://h/x,b=wss://u:p@h/y?k=v", "a=ws://h/x,b=wss://***@h/y?***"),
            (CACHE, "redis://:p@h:6379/0", "redis://***@h:6379/0"),
            (
                CACHE,
                "postgres://u:p@h/d?sslmode=require&sslpassword=x",
                "postgres://***@h/d?sslmode=require&sslpassword=***",
            ),
        ):
            with self.subTest(name):
                self.assertEqual(Settings.load({name: value}).masked()[name], shown)

    def test_options_of_dependencies_are_shown_after_the_settings_as_they_were_set(self):
        shown = Settings.load({CACHE: "http://h", "DEPENDENCY__CACHE__REQUIRED": "FALSE"}).masked()
        self.assertEqual(
            list(shown.items())[-2:], [("DEPENDENCY__CACHE__REQUIRED", "FALSE"), ("DEPENDENCY__CACHE__URL", "http://h")]
        )


class SecretsTest(unittest.TestCase):
    def secrets_of(self, name, value):
        return Settings.load({name: value}).secrets()

    def test_nothing_is_secret_without_a_password(self):
        self.assertEqual(Settings.load({}).secrets(), set())
        self.assertEqual(self.secrets_of("MONGO_URI", "mongodb://h/?replicaSet=r"), set())
        self.assertEqual(self.secrets_of("AI_SERVICE_URL", "http://user:@h"), set())
        self.assertEqual(self.secrets_of(CACHE, "postgresql://h/db?sslmode=require"), set())

    def test_a_password_is_secret_as_written_and_decoded(self):
        for name, url in PASSWORDS:
            with self.subTest(name, url=url):
                secrets = self.secrets_of(name, url.format("hunter2%2Fx+y"))
                for form in ("hunter2%2Fx+y", "hunter2/x+y"):
                    self.assertTrue(any(secret.endswith(form) for secret in secrets), secrets)

    def test_an_aws_session_token_is_secret_by_itself(self):
        uri = "mongodb://u:p1234@h/?authMechanismProperties=AWS_SESSION_TOKEN:a%2Bb"
        self.assertIn("a+b", self.secrets_of("MONGO_URI", uri))

    def test_the_values_of_headers_are_secret_and_a_bearer_token_is_by_itself(self):
        environ = {CACHE: "http://h", HEADERS: '{"Authorization":"Bearer hunter2","X-Empty":""}'}
        self.assertEqual(Settings.load(environ).secrets(), {"Bearer hunter2", "hunter2"})

    def test_every_option_that_libpq_treats_as_a_password_is_secret(self):
        passwords = [option.keyword.decode() for option in Conninfo.get_defaults() if option.dispchar == b"*"]
        self.assertIn("sslpassword", passwords)
        self.assertEqual([name for name in passwords if not is_secret_option(name)], [])
