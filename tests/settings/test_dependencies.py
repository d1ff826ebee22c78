"""The dependencies that the environment declares: names, options, URLs, and what is reported about bad ones."""

import re
import unittest

from app.checks.kinds import HTTP_OPTIONS
from app.settings import Settings, SettingsError
from app.settings.dependencies import OPTIONS

CACHE = "DEPENDENCY__CACHE__"
OF_NO_HTTP = ", ".join(option for option in OPTIONS if option not in HTTP_OPTIONS)
HTTP_URL = "a URL like http://host:8000/path or https://host/path, without fragment"
words = str.split

# Option -> (good values, bad values)
VALUES = {
    "URL": (
        words("""
        redis://h rediss://h:1/ redis://:p%40@h/0 redis://u:p@[::1]:6379/15 REDIS://h http://h https://u:p@h:1/a?b=c
        tcp://h:1 tcp://[::1]:65535/ postgresql://h postgres://u:p%40@h:1,i/db?sslmode=require
        postgresql:///db?host=/run mongodb://h mongodb+srv://h.example.net
        """),
        [
            *("", " ", "redis://h ", "http://a b"),
            *words("""
            h h:6379 redis:// redis:///0 redis://h/x redis://h?db=1 redis://h/0#f redis://h:0 redis://h:65536 redis://u@h
            redis://a..b mysql://h tcp://h tcp://h:0 tcp://u@h:1 tcp://h:1/x tcp://h:1?a http:// http://h/#f http://h:0
            postgresql://h:0 postgresql://h:1,i:65536 postgresql://h:1,i?port=1,2,3 postgresql:///db postgresql://u:%zz@h
            postgresql://h/?bogus=1 postgresql://h/?sslmode=bogus postgresql://,h POSTGRESQL://h postgresql://u:p@s@h
            postgresql://u:1/2@h postgresql://u:p?2@h/db mongodb://h/?bogus=1
            """),
        ],
    ),
    "REQUIRED": (words("true false True FALSE"), ["", *words("yes 1 0 on none")]),
    "FAILURES": (["1", "10"], ["", *words("0 11 1.5 x")]),
    "SUCCESSES": (["1", "10"], ["", *words("0 11 1.5 x")]),
    "TIMEOUT_SECONDS": (["0.1", "30"], ["", *words("0 0.09 30.1 nan x")]),
    "INTERVAL_SECONDS": (["1", "86400"], ["", *words("0 86400.1 nan x")]),
    "MAX_AGE_SECONDS": (["0.1", "6", "86400"], ["", *words("0 0.09 86400.1 nan x")]),
    "STATUSES": (
        ["200", "100-599", "200,204,429", "200-299 , 429"],
        ["", *words("99 600 200-600 299-200 2xx 200, ,200 200- 0200 \u0662\u0660\u0660")],
    ),
    "BODY_MATCHES": (["", "ok", '(?i)"status":\\s*"green"'], ["(", "[a", "a{99999999999}", "(?P<a>.)(?P<a>.)", " ok"]),
    "HEADERS": (
        ["", "{}", '{"Authorization":"Bearer t"}', '{\n "X-A": "1",\n "X-B": ""\n}'],
        [
            *("x", "[]", '"a"', "{'a':'b'}", '{"a":1}', '{"a":null}', '{"a":{"b":"c"}}', '{"":"a"}', '{"a b":"c"}'),
            *('{"a":"\u00fc"}', '{"a":" b"}', '{"a":"b\\n"}', '{"a":"1","A":"2"}', '{"a":"1","a":"2"}', "[" * 100_000),
            *(f'{{"{name}":"x"}}' for name in words("Host connection Content-Length TRANSFER-ENCODING Upgrade TE")),
            *(f'{{"{name}":"x"}}' for name in words("Trailer Keep-Alive Proxy-Connection Proxy-Authorization Expect")),
        ],
    ),
    "TITLE": (["Search index", "\u00fc"], ["", " a", "a\nb"]),
    "AFFECTS": (["", "Search is empty"], [" a", "a\x1b[0m"]),
    "RUNBOOK_URL": (
        ["", "https://wiki/page?a=b#part", "http://w"],
        words("wiki ftp://w javascript:alert(1) https:// https://u:p@w"),
    ),
}


def load(**options):
    """The dependency `cache` with these options beside the URL, if none is among them."""
    return {each.name: each for each in Settings.load(of_cache(**options)).dependencies}["cache"]


def of_cache(**options):
    return {f"{CACHE}{option}": value for option, value in ({"URL": "http://h"} | options).items()}


def bad_lines(environ):
    """The error lines for `environ`; none if every value is good."""
    try:
        Settings.load(environ)
    except SettingsError as error:
        return error.lines
    return []


def names(environ):
    return [each.name for each in Settings.load(environ).dependencies]


class BuiltInTest(unittest.TestCase):
    def test_mongodb_and_the_ai_service_are_watched_without_any_variable(self):
        ai_service, mongodb = Settings.load({}).dependencies
        self.assertEqual((ai_service.name, ai_service.title), ("ai_service", "AI service"))
        self.assertEqual((mongodb.name, mongodb.title), ("mongodb", "MongoDB"))
        self.assertEqual(ai_service.url.get_secret_value(), "http://localhost:8000/health")
        self.assertEqual(mongodb.url.get_secret_value(), "mongodb://localhost:27017")

    def test_health_is_added_to_the_address_of_the_ai_service_and_to_no_other(self):
        for environ, url in (
            ({"AI_SERVICE_URL": "http://h/base//"}, "http://h/base/health"),
            ({"DEPENDENCY__AI_SERVICE__URL": "https://h/v1/models?a=b"}, "https://h/v1/models?a=b"),
        ):
            with self.subTest(environ):
                self.assertEqual(Settings.load(environ).dependencies[0].url.get_secret_value(), url)

    def test_an_empty_address_leaves_a_dependency_out(self):
        self.assertEqual(names({"MONGO_URI": ""}), ["ai_service"])
        self.assertEqual(names({"AI_SERVICE_URL": ""}), ["mongodb"])
        self.assertEqual(names({"AI_SERVICE_URL": "", "MONGO_URI": "", CACHE + "URL": "redis://h"}), ["cache"])

    def test_the_start_fails_with_nothing_to_watch(self):
        (line,) = bad_lines({"AI_SERVICE_URL": "", "MONGO_URI": ""})
        self.assertRegex(line, r"\AMONGO_URI: must not be empty if AI_SERVICE_URL is .*: nothing to watch\Z")

    def test_a_dependency_that_is_left_out_has_no_options(self):
        for address, option in (
            ("MONGO_URI", "DEPENDENCY__MONGODB__REQUIRED"),
            ("AI_SERVICE_URL", "DEPENDENCY__AI_SERVICE__TITLE"),
        ):
            with self.subTest(option):
                lines = bad_lines({address: "", option: "true"})
                self.assertEqual(lines, [f"{option}: must not be set while {address} is empty"])

    def test_a_url_given_whole_together_with_the_address_is_bad_and_both_are_named(self):
        for address, variable, url in (
            ("MONGO_URI", "DEPENDENCY__MONGODB__URL", "mongodb://h"),
            ("AI_SERVICE_URL", "DEPENDENCY__AI_SERVICE__URL", "http://h"),
        ):
            for value in url, "":
                with self.subTest(address, value=value):
                    lines = bad_lines({address: value, variable: url})
                    self.assertEqual(lines, [f"{variable}: must not be set together with {address}"])
            self.assertEqual(Settings.load({variable: url}).masked()[address], "")

    def test_a_built_in_dependency_keeps_its_kind(self):
        lines = bad_lines(
            {
                "DEPENDENCY__AI_SERVICE__STATUSES": "200",
                "DEPENDENCY__AI_SERVICE__URL": "redis://h",
                "DEPENDENCY__MONGODB__URL": "http://h",
            }
        )
        self.assertEqual(lines[0], f"DEPENDENCY__AI_SERVICE__URL: must be {HTTP_URL}")
        self.assertRegex(lines[1], r"\ADEPENDENCY__MONGODB__URL: must be a MongoDB connection string")
        self.assertEqual(len(lines), 2)

    def test_options_of_a_built_in_dependency_are_judged_beside_a_bad_address(self):
        lines = bad_lines({"MONGO_URI": "h", "DEPENDENCY__MONGODB__FAILURES": "0"})
        self.assertEqual([line.partition(":")[0] for line in lines], ["MONGO_URI", "DEPENDENCY__MONGODB__FAILURES"])


class NamesTest(unittest.TestCase):
    def test_dependencies_are_sorted_by_name_and_named_in_lower_case(self):
        environ = {f"DEPENDENCY__{name}__URL": "tcp://h:1" for name in ("Z", "A", "B2_C", "A" * 32, "E_")}
        self.assertEqual(names(environ), ["a", "a" * 32, "ai_service", "b2_c", "e_", "mongodb", "z"])

    def test_a_variable_of_another_form_is_bad(self):
        for variable in (
            *words("DEPENDENCY__ DEPENDENCY__CACHE DEPENDENCY__URL DEPENDENCY__CACHE_URL DEPENDENCY____URL"),
            *words("DEPENDENCY__A__B__URL DEPENDENCY__1A__URL DEPENDENCY___A__URL DEPENDENCY__a__URL"),
            f"DEPENDENCY__{'A' * 33}__URL",
        ):
            with self.subTest(variable):
                (line,) = bad_lines({variable: "tcp://h:1"})
                self.assertTrue(line.startswith(f"{variable}: must be DEPENDENCY__<NAME>__<OPTION>, "), line)

    def test_the_name_of_a_variable_cannot_make_a_second_line(self):
        (line,) = bad_lines({"DEPENDENCY__A\nB__URL": "tcp://h:1"})
        self.assertTrue(line.startswith("'DEPENDENCY__A\\nB__URL': must be "), line)

    def test_the_variable_that_was_probably_meant_is_named(self):
        for variable in ("DEPENDENCY__CACHE_URL", "DEPENDENCY__cache__url"):
            (line,) = bad_lines({variable: "redis://h"})
            self.assertTrue(line.endswith("; probably DEPENDENCY__CACHE__URL is meant"), line)

    def test_names_of_routes_are_reserved(self):
        for name in ("LIVE", "READY", "DETAILS"):
            lines = bad_lines({f"DEPENDENCY__{name}__URL": "tcp://h:1"})
            self.assertEqual(lines, [f"DEPENDENCY__{name}__URL: must have another name, as {name} is reserved"])

    def test_there_are_at_most_32_dependencies_with_the_built_in_ones(self):
        environ = {f"DEPENDENCY__D{number}__URL": "tcp://h:1" for number in range(30)}
        self.assertEqual(len(Settings.load(environ).dependencies), 32)
        lines = bad_lines(environ | {"DEPENDENCY__D30__URL": "tcp://h:1"})
        words = "must be set for at most 32 dependencies, with the built-in ones, not 33"
        self.assertEqual(lines, [f"DEPENDENCY__<NAME>__URL: {words}"])

    def test_readiness_requires_names_of_dependencies_and_the_known_ones_are_listed(self):
        self.assertEqual(Settings.load(of_cache() | {"READINESS_REQUIRES": "cache"}).readiness_requires, ("cache",))
        for environ, known in ((of_cache(), "ai_service, cache, mongodb"), ({"MONGO_URI": ""}, "ai_service")):
            (line,) = bad_lines(environ | {"READINESS_REQUIRES": "mongo"})
            words = f"must be some of {known}, separated by commas, each once, or empty, not 'mongo'"
            self.assertEqual(line, f"READINESS_REQUIRES: {words}")


class OptionsTest(unittest.TestCase):
    def test_values_are_tried_for_every_option(self):
        self.assertEqual(list(VALUES), list(OPTIONS))

    def test_every_good_value_is_accepted(self):
        for option, (good, _) in VALUES.items():
            for value in good:
                with self.subTest(option, value=value):
                    self.assertEqual(bad_lines(of_cache(**{option: value})), [])

    def test_every_bad_value_is_refused_in_one_line_that_names_the_variable(self):
        for option, (_, bad) in VALUES.items():
            for value in bad:
                with self.subTest(option, value=value[:50]):
                    lines = bad_lines(of_cache(**{option: value}))
                    self.assertEqual(len(lines), 1, lines)
                    self.assertRegex(lines[0], rf"\A{CACHE}{option}: must .*\Z")
                    self.assertTrue(lines[0].isprintable() and len(lines[0]) < 500)

    def test_without_options_a_dependency_has_the_defaults(self):
        cache = load()
        self.assertEqual((cache.required, cache.failures, cache.successes), (True, 1, 1))
        self.assertEqual((cache.timeout, cache.interval, cache.max_age), (5.0, 5.0, 1.0))
        self.assertEqual((cache.statuses, cache.body_matches, cache.headers), (frozenset({200}), None, {}))
        self.assertEqual((cache.title, cache.affects, cache.runbook_url), ("cache", None, None))

    def test_values_have_the_types_that_the_program_needs(self):
        cache = load(
            URL="HTTPS://h/x",
            REQUIRED="False",
            STATUSES="200-202, 429",
            BODY_MATCHES="a+",
            HEADERS='{"X-Key":"k"}',
            AFFECTS="all",
            RUNBOOK_URL="http://w",
        )
        self.assertEqual((cache.url.get_secret_value()[:8], cache.required), ("HTTPS://", False))
        self.assertEqual(cache.statuses, {200, 201, 202, 429})
        self.assertEqual(cache.body_matches, re.compile("a+"))
        self.assertEqual({name: value.get_secret_value() for name, value in cache.headers.items()}, {"X-Key": "k"})
        self.assertEqual((cache.affects, cache.runbook_url), ("all", "http://w"))
        with self.assertRaises(ValueError):
            cache.required = True

    def test_times_that_are_not_set_are_those_of_every_check(self):
        environ = of_cache() | {
            "CHECK_TIMEOUT_SECONDS": "2",
            "CHECK_INTERVAL_SECONDS": "7",
            "CHECK_MAX_AGE_SECONDS": "3",
        }
        for each in Settings.load(environ).dependencies:
            self.assertEqual((each.timeout, each.interval, each.max_age), (2.0, 7.0, 3.0))

    def test_a_maximum_age_above_the_default_interval_raises_the_interval(self):
        self.assertEqual(load(MAX_AGE_SECONDS="60").interval, 60.0)
        self.assertEqual(load(MAX_AGE_SECONDS="2").interval, 5.0)

    def test_a_maximum_age_above_an_interval_that_is_set_is_bad(self):
        self.assertEqual(load(MAX_AGE_SECONDS="60", INTERVAL_SECONDS="60").interval, 60.0)
        words = f"{CACHE}MAX_AGE_SECONDS: must be a number of seconds, 0.1 to INTERVAL_SECONDS, not"
        self.assertEqual(bad_lines(of_cache(MAX_AGE_SECONDS="6", INTERVAL_SECONDS="5")), [f"{words} '6'"])
        self.assertEqual(bad_lines(of_cache(INTERVAL_SECONDS="0.5")), [f"{words} its default 1"])

    def test_an_option_of_http_fits_no_other_scheme(self):
        for option in sorted(HTTP_OPTIONS):
            lines = bad_lines(of_cache(URL="redis://h", **{option: VALUES[option][0][-1]}))
            self.assertEqual(lines, [f"{CACHE}{option}: does not fit redis; those that fit are {OF_NO_HTTP}"])

    def test_an_unknown_option_is_named_with_those_that_fit(self):
        self.assertEqual(
            bad_lines(of_cache(URL="tcp://h:1", TIMEOUT="1")),
            [f"{CACHE}TIMEOUT: is not an option; those that fit are {OF_NO_HTTP}"],
        )
        self.assertEqual(
            bad_lines({CACHE + "URI": "tcp://h:1"}),
            [
                f"{CACHE}URI: is not an option; those that fit are {', '.join(OPTIONS)}",
                f"{CACHE}URL: must be set, because {CACHE}URI is",
            ],
        )

    def test_authorization_beside_credentials_in_the_url_is_bad(self):
        lines = bad_lines(of_cache(URL="http://u:p@h", HEADERS='{"authorization":"x"}'))
        self.assertEqual(lines, [f"{CACHE}HEADERS: must not contain Authorization beside credentials in the URL"])
        self.assertEqual(bad_lines(of_cache(URL="http://u:p@h", HEADERS='{"X-A":"x"}')), [])

    def test_everything_that_is_bad_is_reported_at_once(self):
        lines = bad_lines(
            of_cache(URL="redis://", REQUIRED="yes", BOGUS="1")
            | {"DEPENDENCY__LIVE__URL": "tcp://h:1", "LOG_FORMAT": "xml", "DEPENDENCY__A": "x"}
        )
        self.assertEqual(
            [line.partition(":")[0] for line in lines],
            [
                "LOG_FORMAT",
                *(f"DEPENDENCY__{each}" for each in words("A CACHE__BOGUS CACHE__REQUIRED CACHE__URL LIVE__URL")),
            ],
        )
