"""The settings: every row of their table, their bounds, and that no secret is ever shown."""

import ssl
import tempfile
import threading
import unittest
import warnings
from unittest import mock

import certifi

from app.settings import Settings, SettingsError
from app.settings.dependencies import OPTIONS
from app.settings.tables import dependency_table, table

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
            *(" ", " mongodb://h", "mongodb://h\n", "mongodb://h:27017 "),
            *words("""
            h mongodb:// http://h mongodb://h:0 mongodb://h:65536 mongodb://u:p@ss@h mongodb://u:%zz@h
            mongodb://h/?bogus=1 mongodb://h/?tls=maybe mongodb://h/?tlsCAFile=/absent mongodb+srv://h.example.net:1
            mongodb://h,h2/?directConnection=true mongodb://h/?connectTimeoutMS=nan mongodb://h/?authMechanism=X
            mongodb://u:1/2@h mongodb://h/?tls=true&tls=true
            """),
        ],
    ),
    "AI_SERVICE_URL": (
        words("""
        http://h https://h:1 http://h:65535/ http://u:p%40@h/base/ http://[::1]:80 HTTP://h http://my_host
        http://b\u00fccher.example
        """),
        [
            *(" ", "http://a b", "http://h/a b", " http://h", "http://h\n"),
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
        ["", "mongodb", "ai_service", "mongodb,ai_service", "ai_service , mongodb"],
        [" ", "redis", "mongodb,redis", "mongodb,", ",", " mongodb", "MongoDB", "mongodb,mongodb"],
    ),
    "SWEEP_INTERVAL_SECONDS": ABOVE_ZERO,
    "RECONNECT_MAX_ATTEMPTS": COUNTS,
    "RECONNECT_BACKOFF_SECONDS": (["0.1", "1", "86400"], [*ABOVE_ZERO[1], "0.09"]),
    "RECONNECT_COOLDOWN_SECONDS": FROM_ZERO,
    "DIAL_TIMEOUT_SECONDS": ABOVE_ZERO,
    "WS_UPSTREAMS": (
        ["", "a=ws://h", "a=ws://h/x,b-2=wss://u:p@h:1/y?token=t", "a=ws://h , b=ws://h"],
        [
            *(" ", "a b=ws://h", "a= ws://h", "a=ws://h,b=ws://h "),
            *words("""
            a =ws://h ws://h a= a=http://h a=ws:// a=ws://h, a=ws://h,a=wss://i a=ws://h:0 a=ws://h:65536 a=ws://h/#f
            """),
        ],
    ),
    "WS_MAX_CONNECTIONS": COUNTS,
    "WS_PING_INTERVAL_SECONDS": ABOVE_ZERO,
    "WS_ALLOWED_ORIGINS": (
        ["", "https://example.org", "http://h:8080 , https://[::1]:1"],
        [
            " ",
            *words("* null example.org https:// https://h/ https://h/x https://h, https://u@h https://h:x"),
            *words("https://*.example.org https://h:*"),
        ],
    ),
    "HTTP_THREADS": COUNTS,
    "DRAIN_SECONDS": FROM_ZERO,
    "SHUTDOWN_TIMEOUT_SECONDS": ABOVE_ZERO,
    "CA_BUNDLE": (["", certifi.where()], [" ", "/absent", "/", __file__]),
    "WORKER_CLASS": (["probe", "gthread", "Probe"], ["", " probe", "sync"]),
    "STATUS_TOKEN": (["", "t", "Aa0-._~+/=", "a://b"], [" ", "a b", "t ", "t\n", "\u00fc"]),
    "LOG_LEVEL": (words("DEBUG info Warning warn WARN error CRITICAL"), ["", " INFO", "TRACE", "NOTSET", "10"]),
    "LOG_FORMAT": (["text", "json", "JSON"], ["", " ", "xml", "text "]),
}


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

    def test_an_empty_string_is_good_only_for_an_address_and_where_the_default_is_empty(self):
        for name, default in DEFAULTS.items():
            with self.subTest(name):
                self.assertEqual(bad_lines({name: ""}) == [], default == "" or name in ("MONGO_URI", "AI_SERVICE_URL"))

    def test_values_have_the_types_that_the_program_needs(self):
        settings = Settings.load(
            {
                "DRAIN_SECONDS": "0",
                "LOG_LEVEL": "warn",
                "LOG_FORMAT": "JSON",
                "READINESS_REQUIRES": "ai_service, mongodb",
                "WS_UPSTREAMS": "a=ws://h/x ,b=wss://u:p@h",
                "WS_ALLOWED_ORIGINS": "HTTPS://Example.org:443, http://h:80,http://h:443",
                "UNHEALTHY_STATUS_CODE": "200",
                "STATUS_TOKEN": "t",
            }
        )
        upstreams = [(up.name, up.url.get_secret_value()) for up in settings.ws_upstreams]
        self.assertEqual((settings.port, settings.unhealthy_status_code), (8080, 200))
        self.assertIsInstance(settings.drain_seconds, float)
        self.assertEqual((settings.log_level, settings.log_format), ("WARN", "json"))
        self.assertEqual(settings.readiness_requires, ("ai_service", "mongodb"))
        self.assertEqual(upstreams, [("a", "ws://h/x"), ("b", "wss://u:p@h")])
        self.assertEqual(settings.ws_allowed_origins, ("https://example.org", "http://h", "http://h:443"))
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

    def test_an_error_line_names_what_is_wrong_where_that_is_not_obvious(self):
        for name, value, hint in (
            ("PORT", '"8080"', "the quotes around it are part of the value"),
            ("LOG_LEVEL", "'info'", "the quotes around it are part of the value"),
            ("LOG_LEVEL", "info ", "it begins or ends with white space"),
            ("STATUS_TOKEN", "t\t", "it begins or ends with white space"),
            ("SERVICE_NAME", "a\u200bb", "it contains the unprintable character U+200B"),
            ("WS_ALLOWED_ORIGINS", "https://*.example.org", "wildcards are not supported"),
            ("AI_SERVICE_URL", "localhost:8000", "it does not begin with a scheme and ://"),
            ("AI_SERVICE_URL", "http:///health", "it has no host"),
            ("AI_SERVICE_URL", "http://u:a#b@h", "it has an unescaped # in the user or the password: write %23"),
            ("WS_UPSTREAMS", "a=ws://u:a/b@h", "it has an unescaped / in the user or the password: write %2F"),
            ("MONGO_URI", '"mongodb://h"', "the quotes around it are part of the value"),
            ("MONGO_URI", "mongodb://u:a@b@h", "it has an unescaped @ in the user or the password: write %40"),
            ("MONGO_URI", "mongodb://u:a/b@h", "it has an unescaped / in the user or the password: write %2F"),
            ("MONGO_URI", "mongodb://u:1/b@h", "it has an unescaped / in the user or the password: write %2F"),
            ("MONGO_URI", "mongodb://u:a:b@h", "it has an unescaped : in the user or the password: write %3A"),
            ("MONGO_URI", "mongodb://u:50%@h", "it has an unescaped % in the user or the password: write %25"),
            ("MONGO_URI", "mongodb://h/a@b", "it has an unescaped @ in the name of the database: write %40"),
            ("MONGO_URI", "mongodb://h:70000", "a port is not 1 to 65535"),
            ("MONGO_URI", "mongodb://h/?replicaset=r&bogus=1", "the option bogus is unknown"),
            ("MONGO_URI", "mongodb://h/?tls=true&TLS=true", "the option TLS is given twice"),
            ("MONGO_URI", "mongodb://h/?tls=maybe", "the value of the option tls is not accepted"),
            ("MONGO_URI", "mongodb://h/?ssl=true&tls=false", "the driver does not accept ssl with tls"),
            (
                "MONGO_URI",
                "mongodb://h/?tlsCertificateKeyFilePassword=a&b",
                "it has an unescaped & in the value of tlsCertificateKeyFilePassword: write %26",
            ),
            (
                "MONGO_URI",
                "mongodb://u:p@h/?authMechanismProperties=AWS_SESSION_TOKEN:a=",
                "it has an unescaped = in the value of authMechanismProperties: write %3D",
            ),
            (
                "MONGO_URI",
                "mongodb://u@h/?authMechanism=GSSAPI",
                "the authentication mechanism GSSAPI needs the package pykerberos, which is not installed",
            ),
            (
                "MONGO_URI",
                "mongodb://u:p@h/?authMechanism=MONGODB-AWS",
                "the authentication mechanism MONGODB-AWS needs the package pymongo-auth-aws, which is not installed",
            ),
            ("DEPENDENCY__A__URL", "", "it is empty"),
            ("DEPENDENCY__A__URL", "tcp://h", "it has no port"),
            ("DEPENDENCY__A__URL", "redis://p@h", "a password alone is written redis://:password@host"),
            ("DEPENDENCY__A__URL", "postgresql://h/?bogus=1", "the option bogus is unknown"),
            ("DEPENDENCY__A__URL", "postgresql://h/?sslmode=x", "the value of the option sslmode is not accepted"),
            (
                "DEPENDENCY__A__URL",
                "postgresql://u:a@b@h",
                "it has an unescaped @ in the user or the password: write %40",
            ),
        ):
            with self.subTest(name, value=value):
                (line,) = bad_lines({name: value})
                self.assertTrue(line.endswith(f"; {hint}"), line)

    def test_a_mechanism_whose_package_is_installed_is_good(self):
        with mock.patch("importlib.util.find_spec", return_value="found") as find:
            self.assertEqual(bad_lines({"MONGO_URI": "mongodb://u@h/?authMechanism=GSSAPI"}), [])
        find.assert_called_with("kerberos")

    def test_judging_a_uri_warns_of_nothing(self):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            bad_lines({"MONGO_URI": "mongodb://u:hunter2@h/?bogus=hunter2"})
            bad_lines({"MONGO_URI": "mongodb://x.docdb.amazonaws.com/?compressors=snappy"})
        self.assertEqual(seen, [])

    def test_lists_are_shown_without_white_space(self):
        for name, value in (
            ("READINESS_REQUIRES", "mongodb , ai_service"),
            ("WS_ALLOWED_ORIGINS", "https://a.example, http://b:81"),
        ):
            with self.subTest(name):
                self.assertEqual(Settings.load({name: value}).masked()[name], value.replace(" ", ""))


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

    def test_the_table_of_options_has_a_row_for_every_option(self):
        rows = [line.strip("| ").split(" | ", 2) for line in dependency_table().splitlines()]
        self.assertEqual([row[0].strip("`") for row in rows], ["option", "---", *OPTIONS])
        self.assertIn("| `TIMEOUT_SECONDS` | `CHECK_TIMEOUT_SECONDS` |", dependency_table())
