"""The settings: every row of their table, their bounds, and that no secret is ever shown."""

import contextlib
import io
import runpy
import ssl
import tempfile
import threading
import unittest
import warnings
from unittest import mock

import certifi

from app.settings import Settings, SettingsError, table

DEFAULTS = {
    "HOST": "0.0.0.0",
    "PORT": "8080",
    "MONGO_URI": "mongodb://localhost:27017",
    "AI_SERVICE_URL": "http://localhost:8000",
    "SERVICE_NAME": "server",
    "SERVICE_VERSION": "1.0.0",
    "CHECK_TIMEOUT_SECONDS": "5",
    "CHECK_INTERVAL_SECONDS": "5",
    "CHECK_MAX_AGE_SECONDS": "1",
    "PROBE_WAIT_SECONDS": "0.25",
    "UNHEALTHY_STATUS_CODE": "503",
    "READINESS_REQUIRES": "",
    "SWEEP_INTERVAL_SECONDS": "30",
    "RECONNECT_MAX_ATTEMPTS": "5",
    "RECONNECT_BACKOFF_SECONDS": "1",
    "RECONNECT_COOLDOWN_SECONDS": "300",
    "DIAL_TIMEOUT_SECONDS": "5",
    "WS_UPSTREAMS": "",
    "WS_MAX_CONNECTIONS": "96",
    "WS_PING_INTERVAL_SECONDS": "25",
    "WS_ALLOWED_ORIGINS": "",
    "HTTP_THREADS": "32",
    "DRAIN_SECONDS": "3",
    "SHUTDOWN_TIMEOUT_SECONDS": "5",
    "CA_BUNDLE": "",
    "WORKER_CLASS": "probe",
    "STATUS_TOKEN": "",
    "LOG_LEVEL": "INFO",
    "LOG_FORMAT": "text",
}

words = str.split

NOT_NUMBERS = ["", " 1", "1 ", "1\n", *words("nan inf -inf 1e999 x 1,5 0x1 \u0663 -1")]
ABOVE_ZERO = (words("0.001 0.5 7 86400 1e3"), [*NOT_NUMBERS, "0", "86400.1", "1e-400"])
FROM_ZERO = (words("0 0.0 0.001 86400"), [*NOT_NUMBERS, "86400.1"])
COUNTS = (["1", "2", "100000"], [*NOT_NUMBERS, "0", "1.5", "1e3"])
TEXTS = (["a", "two words", "\u00fc", "1"], ["", " ", " a", "a ", "a\nb", "a\x1b[0m", "\u2028", "\udcff"])

# Setting -> (good values, bad values)
VALUES = {
    "HOST": (
        words("127.0.0.1 :: ::1 localhost my_host.example"),
        ["", " ", "a b", "\n", *words("[::] h:80 unix:/x -h http://h")],
    ),
    "PORT": (["1", "80", "65535"], [*NOT_NUMBERS, "0", "65536", "80.5", "http"]),
    "MONGO_URI": (
        words("""
        mongodb://h mongodb://h:1,h2:65535/?replicaSet=r mongodb://u:p%40ss@h/db?tls=true mongodb://[::1]:27017
        mongodb+srv://cluster.example.net mongodb://h/?directConnection=true
        """),
        [
            *("", " ", " mongodb://h", "mongodb://h\n"),
            *words("""
            h mongodb:// http://h mongodb://h:0 mongodb://h:65536 mongodb://u:p@ss@h mongodb://u:%zz@h
            mongodb://h/?bogus=1 mongodb://h/?tls=maybe mongodb://h/?tlsCAFile=/absent mongodb+srv://h.example.net:1
            mongodb://h,h2/?directConnection=true mongodb://h/?connectTimeoutMS=nan mongodb://h/?authMechanism=X
            """),
        ],
    ),
    "AI_SERVICE_URL": (
        words("""
        http://h https://h:1 http://h:65535/ http://u:p%40@h/base/ http://[::1]:80 HTTP://h http://my_host
        http://b\u00fccher.example
        """),
        [
            *("", " ", "http://a b", "http://h/a b", " http://h", "http://h\n"),
            *words("""
            h h:80 //h http:// http:///x http:/h ftp://h ws://h http://h:0 http://h:65536 http://h:x http://h?
            http://h?a=b http://h# http://h/#f http://a..b http://* http://a\\b http://[::1
            """),
        ],
    ),
    "SERVICE_NAME": TEXTS,
    "SERVICE_VERSION": TEXTS,
    "CHECK_TIMEOUT_SECONDS": (["0.25", "1", "5", "5.0"], [*NOT_NUMBERS, "0", "0.09", "5.01"]),
    "CHECK_INTERVAL_SECONDS": (["1", "5", "86400"], ABOVE_ZERO[1]),
    "CHECK_MAX_AGE_SECONDS": (["0.1", "1", "5"], [*NOT_NUMBERS, "0", "0.09", "5.1"]),
    "PROBE_WAIT_SECONDS": (["0", "0.25", "5"], [*NOT_NUMBERS, "5.1"]),
    "UNHEALTHY_STATUS_CODE": (["503", "200"], ["", "500", "204", "503.5", "x", " 503", "-200"]),
    "READINESS_REQUIRES": (
        ["", "mongodb", "ai_service", "mongodb,ai_service", "ai_service,mongodb"],
        [" ", "redis", "mongodb,redis", "mongodb,", ",", "mongodb, ai_service", "MongoDB", "mongodb,mongodb"],
    ),
    "SWEEP_INTERVAL_SECONDS": ABOVE_ZERO,
    "RECONNECT_MAX_ATTEMPTS": COUNTS,
    "RECONNECT_BACKOFF_SECONDS": (["0.1", "1", "86400"], [*ABOVE_ZERO[1], "0.09"]),
    "RECONNECT_COOLDOWN_SECONDS": FROM_ZERO,
    "DIAL_TIMEOUT_SECONDS": ABOVE_ZERO,
    "WS_UPSTREAMS": (
        ["", "a=ws://h", "a=ws://h/x,b-2=wss://u:p@h:1/y?token=t", "a=ws://h,b=ws://h"],
        [
            *(" ", "a=ws://h, b=ws://h", "a b=ws://h", "a= ws://h"),
            *words("""
            a =ws://h ws://h a= a=http://h a=ws:// a=ws://h, a=ws://h,a=wss://i a=ws://h:0 a=ws://h:65536 a=ws://h/#f
            """),
        ],
    ),
    "WS_MAX_CONNECTIONS": COUNTS,
    "WS_PING_INTERVAL_SECONDS": ABOVE_ZERO,
    "WS_ALLOWED_ORIGINS": (
        ["", "https://example.org", "http://h:8080,https://[::1]:1"],
        [" ", "https://h, http://i", *words("* null example.org https:// https://h/ https://h/x https://h,")],
    ),
    "HTTP_THREADS": COUNTS,
    "DRAIN_SECONDS": FROM_ZERO,
    "SHUTDOWN_TIMEOUT_SECONDS": ABOVE_ZERO,
    "CA_BUNDLE": (["", certifi.where()], [" ", "/absent", "/", __file__]),
    "WORKER_CLASS": (["probe", "gthread"], ["", " probe", "Probe", "sync"]),
    "STATUS_TOKEN": (["", "t", "Aa0-._~+/=", "a://b"], [" ", "a b", "t ", "t\n", "\u00fc"]),
    "LOG_LEVEL": (words("DEBUG info Warning warn WARN error CRITICAL"), ["", " INFO", "TRACE", "NOTSET", "10"]),
    "LOG_FORMAT": (["text", "json"], ["", " ", "xml", "text "]),
}

PASSWORDS = [
    ("MONGO_URI", "mongodb://user:{}@h:27017/"),
    ("MONGO_URI", "mongodb://h/?tls=true&tlsCertificateKeyFilePassword={}"),
    ("MONGO_URI", "mongodb://u:p1234@h/?authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:{}"),
    ("AI_SERVICE_URL", "http://user:{}@h/base"),
    ("WS_UPSTREAMS", "a=ws://h,b=wss://user:{}@h/x"),
    ("WS_UPSTREAMS", "a=ws://h/x?token={}"),
]


def bad_lines(environ):
    """The error lines for `environ`; none if every value is good."""
    try:
        Settings.load(environ)
    except SettingsError as error:
        return error.lines
    return []


class EverySettingTest(unittest.TestCase):
    def test_the_defaults_are_in_force_without_any_variable(self):
        self.assertEqual(Settings.load({}).masked(), DEFAULTS)

    def test_values_are_tried_for_every_setting(self):
        self.assertEqual(set(VALUES), set(DEFAULTS))

    def test_every_good_value_is_accepted(self):
        for name, (good, _) in VALUES.items():
            for value in good:
                with self.subTest(name, value=value):
                    self.assertEqual(bad_lines({name: value}), [])

    def test_every_bad_value_is_refused_in_one_line_that_names_the_setting_and_what_it_may_be(self):
        for name, (_, bad) in VALUES.items():
            for value in bad:
                with self.subTest(name, value=value):
                    lines = bad_lines({name: value})
                    self.assertEqual(len(lines), 1, lines)
                    self.assertRegex(lines[0], rf"\A{name}: must be .*\Z")
                    self.assertTrue(lines[0].isprintable())

    def test_an_empty_string_is_good_only_where_the_default_is_empty(self):
        for name, default in DEFAULTS.items():
            with self.subTest(name):
                self.assertEqual(bad_lines({name: ""}) == [], default == "")

    def test_values_have_the_types_that_the_program_needs(self):
        settings = Settings.load(
            {
                "DRAIN_SECONDS": "0",
                "LOG_LEVEL": "warn",
                "READINESS_REQUIRES": "ai_service,mongodb",
                "WS_UPSTREAMS": "a=ws://h/x,b=wss://u:p@h",
                "WS_ALLOWED_ORIGINS": "HTTPS://Example.org",
                "UNHEALTHY_STATUS_CODE": "200",
                "STATUS_TOKEN": "t",
            }
        )
        upstreams = [(up.name, up.url.get_secret_value()) for up in settings.ws_upstreams]
        self.assertEqual((settings.port, settings.unhealthy_status_code), (8080, 200))
        self.assertIsInstance(settings.drain_seconds, float)
        self.assertEqual(settings.log_level, "WARN")
        self.assertEqual(settings.readiness_requires, ("ai_service", "mongodb"))
        self.assertEqual(upstreams, [("a", "ws://h/x"), ("b", "wss://u:p@h")])
        self.assertEqual(settings.ws_allowed_origins, ("https://example.org",))
        self.assertEqual(settings.status_token.get_secret_value(), "t")

    def test_a_url_is_kept_as_it_was_written(self):
        for name, value in (("AI_SERVICE_URL", "HTTP://B\u00fccher.example/a/../b"), ("MONGO_URI", "mongodb://H,I")):
            with self.subTest(name):
                self.assertEqual(getattr(Settings.load({name: value}), name.lower()).get_secret_value(), value)

    def test_settings_are_frozen(self):
        with self.assertRaises(ValueError):
            Settings.load({}).port = 1

    def test_only_the_mapping_is_read(self):
        with mock.patch.dict("os.environ", {"PORT": "1", "port": "2", "SERVER_PORT": "3"}):
            self.assertEqual(Settings.load({"port": "4", "Port": "5", "UNKNOWN": "6"}).port, 8080)


class BoundBySettingTest(unittest.TestCase):
    def test_a_setting_is_bounded_by_the_value_of_another(self):
        for name, other, bound, beyond in (
            ("CHECK_MAX_AGE_SECONDS", "CHECK_INTERVAL_SECONDS", "2", "2.1"),
            ("PROBE_WAIT_SECONDS", "CHECK_TIMEOUT_SECONDS", "2", "2.1"),
        ):
            with self.subTest(name):
                self.assertEqual(bad_lines({other: "2", name: bound}), [])
                (line,) = bad_lines({other: "2", name: beyond})
                self.assertRegex(line, rf"\A{name}: must be .* to {other}, not '2\.1'\Z")

    def test_a_default_above_the_value_of_another_setting_is_reported_as_a_default(self):
        for name, default, other, value in (
            ("CHECK_MAX_AGE_SECONDS", "1", "CHECK_INTERVAL_SECONDS", "0.5"),
            ("PROBE_WAIT_SECONDS", "0.25", "CHECK_TIMEOUT_SECONDS", "0.1"),
        ):
            with self.subTest(name):
                (line,) = bad_lines({other: value})
                self.assertRegex(line, rf"\A{name}: must be .* to {other}, not its default {default}\Z")
                self.assertEqual(bad_lines({other: value, name: "0.1"}), [])

    def test_only_the_bounding_setting_is_reported_if_it_is_bad_itself(self):
        (line,) = bad_lines({"CHECK_TIMEOUT_SECONDS": "x", "PROBE_WAIT_SECONDS": "4"})
        self.assertTrue(line.startswith("CHECK_TIMEOUT_SECONDS: "))


class BadSettingsTest(unittest.TestCase):
    def test_all_bad_settings_are_reported_at_once_in_the_order_of_the_table(self):
        environ = {name: bad[-1] for name, (_, bad) in VALUES.items()}
        # These two bound others, which are judged only if these two are good.
        del environ["CHECK_TIMEOUT_SECONDS"], environ["CHECK_INTERVAL_SECONDS"]
        lines = bad_lines(environ)
        self.assertEqual([line.partition(":")[0] for line in lines], [name for name in DEFAULTS if name in environ])

    def test_the_text_of_the_error_is_its_lines(self):
        with self.assertRaises(SettingsError) as raised:
            Settings.load({"PORT": "0", "LOG_FORMAT": "xml"})
        self.assertEqual(
            str(raised.exception),
            "PORT: must be a port, 1 to 65535, not '0'\nLOG_FORMAT: must be text or json, not 'xml'",
        )
        self.assertIsNone(raised.exception.__cause__ or raised.exception.__context__)

    def test_a_long_bad_value_is_cut_in_the_error_line(self):
        (line,) = bad_lines({"PORT": "1" * 100_000})
        self.assertLess(len(line), 200)

    def test_no_part_of_a_bad_secret_value_is_shown(self):
        for name, value in (
            ("MONGO_URI", "mongodb://u:hunter2@h/?bogus=1"),
            ("MONGO_URI", "hunter2"),
            ("MONGO_URI", "mongodb://u:p@hunter2@h"),
            ("MONGO_URI", "mongodb://u:%hunter2@h"),
            ("AI_SERVICE_URL", "ftp://u:hunter2@h"),
            ("AI_SERVICE_URL", "http://h?key=hunter2"),
            ("AI_SERVICE_URL", "http://u:hunter2"),
            ("WS_UPSTREAMS", "a=http://u:hunter2@h"),
            ("WS_UPSTREAMS", "a=ws://h,hunter2"),
            ("STATUS_TOKEN", "hunter2 \u00fc"),
        ):
            with self.subTest(name, value=value):
                with self.assertRaises(SettingsError) as raised:
                    Settings.load({name: value, "PORT": "0"})
                self.assertEqual(len(raised.exception.lines), 2)
                self.assertNotIn("hunter2", f"{raised.exception} {raised.exception!r} {raised.exception.args}")

    def test_a_uri_that_the_driver_warns_about_is_bad_and_the_warning_is_not_shown(self):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            self.assertEqual(len(bad_lines({"MONGO_URI": "mongodb://u:hunter2@h/?bogus=hunter2"})), 1)
        self.assertEqual(seen, [])


class SecretsTest(unittest.TestCase):
    def secrets_of(self, name, value):
        return Settings.load({name: value}).secrets()

    def test_nothing_is_secret_without_a_password(self):
        self.assertEqual(Settings.load({}).secrets(), set())
        self.assertEqual(self.secrets_of("MONGO_URI", "mongodb://h/?replicaSet=r"), set())
        self.assertEqual(self.secrets_of("AI_SERVICE_URL", "http://user:@h"), set())

    def test_a_password_is_masked_wherever_a_url_may_hold_one(self):
        for name, url in PASSWORDS:
            for password in ("hunter2", "hunter2%2Fx%40y%3Az"):
                with self.subTest(name, url=url, password=password):
                    settings = Settings.load({name: url.format(password)})
                    shown = settings.masked()[name]
                    self.assertIn("***", shown)
                    for text in (shown, repr(settings), str(settings), repr(settings.model_dump())):
                        self.assertNotIn("hunter2", text)

    def test_a_password_is_secret_as_written_and_decoded(self):
        for name, url in PASSWORDS:
            with self.subTest(name, url=url):
                secrets = self.secrets_of(name, url.format("hunter2%2Fx+y"))
                for form in ("hunter2%2Fx+y", "hunter2/x+y"):
                    self.assertTrue(any(secret.endswith(form) for secret in secrets), secrets)

    def test_an_aws_session_token_is_secret_by_itself(self):
        uri = "mongodb://u:p1234@h/?authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:a%2Bb"
        self.assertIn("a+b", self.secrets_of("MONGO_URI", uri))

    def test_a_token_that_looks_like_a_url_is_secret_as_a_whole(self):
        for token in ("hunter2", "hunter2://x"):
            with self.subTest(token):
                settings = Settings.load({"STATUS_TOKEN": token})
                self.assertEqual(settings.secrets(), {token})
                self.assertEqual(settings.masked()["STATUS_TOKEN"], "***")
                self.assertNotIn("hunter2", repr(settings))

    def test_a_list_is_shown_as_it_was_written(self):
        for name, value in (
            ("READINESS_REQUIRES", "mongodb,ai_service"),
            ("WS_ALLOWED_ORIGINS", "https://a.example,http://b:81"),
        ):
            with self.subTest(name):
                self.assertEqual(Settings.load({name: value}).masked()[name], value)

    def test_masking_leaves_names_hosts_and_options_readable(self):
        for name, value, shown in (
            (
                "MONGO_URI",
                "mongodb://u:p@h:1,i:2/db?replicaSet=r&tls=true",
                "mongodb://***@h:1,i:2/db?replicaSet=r&tls=true",
            ),
            ("AI_SERVICE_URL", "https://u:p@h:1/base", "https://***@h:1/base"),
            ("WS_UPSTREAMS", "a=ws://h/x,b=wss://u:p@h/y?k=v", "a=ws://h/x,b=wss://***@h/y?***"),
        ):
            with self.subTest(name):
                self.assertEqual(Settings.load({name: value}).masked()[name], shown)


class NoNetworkTest(unittest.TestCase):
    def test_judging_a_mongodb_uri_opens_resolves_and_starts_nothing(self):
        before = threading.active_count()
        with (
            mock.patch("socket.socket", side_effect=AssertionError("a socket")),
            mock.patch("socket.getaddrinfo", side_effect=AssertionError("a look-up")),
            mock.patch("dns.resolver.resolve", side_effect=AssertionError("a look-up")),
        ):
            for uri in ("mongodb+srv://cluster.example.net", "mongodb://u:p@h,i/?replicaSet=r&tls=true"):
                self.assertEqual(bad_lines({"MONGO_URI": uri}), [])
        self.assertEqual(threading.active_count(), before)


class CaBundleTest(unittest.TestCase):
    def test_a_ca_bundle_without_a_certificate_is_bad(self):
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            self.assertEqual(len(bad_lines({"CA_BUNDLE": file.name})), 1)
            file.write(ssl.DER_cert_to_PEM_cert(b"not a certificate"))
            file.flush()
            self.assertEqual(len(bad_lines({"CA_BUNDLE": file.name})), 1)


class TableTest(unittest.TestCase):
    def test_the_table_has_a_row_for_every_setting_with_its_default(self):
        rows = [line.strip("| ").split(" | ", 2) for line in table().splitlines()]
        self.assertEqual(rows[0], ["variable", "default", "meaning"])
        self.assertEqual(
            {name.strip("`"): default.strip("`") for name, default, _ in rows[2:]},
            {name: default or "empty" for name, default in DEFAULTS.items()},
        )
        for row in rows[2:]:
            with self.subTest(row[0]):
                self.assertGreater(len(row[2]), 3)

    def test_running_the_module_prints_the_table(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'app.settings' found in sys.modules", RuntimeWarning)
            runpy.run_module("app.settings", run_name="__main__")
        self.assertEqual(out.getvalue(), table() + "\n")
