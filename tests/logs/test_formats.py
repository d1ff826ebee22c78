"""The two formats of a log line, and what no line may hold."""

import json
import logging
import re
import sys
import unicodedata
import unittest

from app.logs.formats import JsonLinesFormatter, TextFormatter
from app.logs.redaction import Redactor

STAMP = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d"
LOGGER = "app.test"
LIMIT = 8 * 1024


def record(message, *values, level=logging.INFO, exc_info=None, stack=None, **extra):
    made = logging.LogRecord(LOGGER, level, __file__, 1, message, values, exc_info, None, stack)
    made.__dict__.update(extra)
    return made


def raised(error):
    """`error` as a logger has it, with a traceback."""
    try:
        raise error
    except BaseException as caught:
        return type(caught), caught, caught.__traceback__


def text(*values, secrets=(), **options):
    return TextFormatter(Redactor(secrets)).format(record(*values, **options))


def as_json(*values, secrets=(), **options):
    return JsonLinesFormatter(Redactor(secrets)).format(record(*values, **options))


class TextFormatTest(unittest.TestCase):
    def test_a_line_is_level_date_time_and_message(self):
        self.assertRegex(text("hello %s", "you"), rf"\AINFO: {STAMP} hello you\Z")

    def test_the_time_is_that_of_the_event(self):
        made = record("x")
        made.created = 1_800_000_000
        self.assertEqual(
            TextFormatter(Redactor(())).format(made),
            logging.Formatter("INFO: %(asctime)s x", "%Y/%m/%d %H:%M:%S").format(made),
        )

    def test_each_level_has_its_prefix(self):
        for level, prefix in (
            (logging.DEBUG, "DEBUG"),
            (logging.INFO, "INFO"),
            (logging.WARNING, "WARN"),
            (logging.ERROR, "ERROR"),
            (logging.CRITICAL, "CRITICAL"),
        ):
            with self.subTest(prefix):
                self.assertTrue(text("x", level=level).startswith(f"{prefix}: 2"))

    def test_a_traceback_follows_indented_by_a_tab(self):
        lines = text("failed", level=logging.ERROR, exc_info=raised(ValueError("one\ntwo"))).split("\n")
        self.assertRegex(lines[0], rf"\AERROR: {STAMP} failed\Z")
        self.assertEqual(lines[1], "\tTraceback (most recent call last):")
        self.assertEqual(lines[-2:], ["\tValueError: one", "\ttwo"])
        self.assertTrue(all(line.startswith("\t") for line in lines[1:]))

    def test_a_stack_follows_indented_by_a_tab(self):
        self.assertEqual(text("x", stack="Stack:\n  here").split("\n")[1:], ["\tStack:", "\t  here"])

    def test_no_value_can_forge_a_line_or_control_a_terminal(self):
        for forged, escaped in (
            ("a\nERROR: 2026/01/01 00:00:00 b", r"a\nERROR: 2026/01/01 00:00:00 b"),
            ("a\r\nb", r"a\r\nb"),
            ("a\x0bb\x0cc", r"a\x0bb\x0cc"),
            ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
            ("\x9b2J", r"\x9b2J"),
            ("a\x85b", r"a\x85b"),
            ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
            ("\x00\x07\x08\x7f", r"\x00\x07\x08\x7f"),
            ("\udcff", r"\udcff"),
            ("a\u202eb\u200b\ufeff\u2066", r"a\u202eb\u200b\ufeff\u2066"),
            ("\U000e0041", r"\U000e0041"),
            ("tab\tand \u00fc stay", "tab\tand \u00fc stay"),
        ):
            with self.subTest(forged):
                self.assertRegex(text("%s", forged), rf"\AINFO: {STAMP} {re.escape(escaped)}\Z")
                trace = text("x", exc_info=raised(ValueError(forged))).split("\n", 1)[1]
                self.assertEqual(trace.splitlines(), trace.split("\n"))
                self.assertTrue(all(line.startswith("\t") for line in trace.split("\n")))
                self.assertNotRegex(trace, r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class JsonFormatTest(unittest.TestCase):
    def test_a_line_is_one_object_of_these_keys(self):
        line = as_json("hello %s", "y\u00f6u")
        self.assertIn("y\u00f6u", line)
        entry = json.loads(line)
        self.assertEqual(list(entry), ["time", "level", "logger", "message"])
        self.assertEqual((entry["level"], entry["logger"], entry["message"]), ("INFO", LOGGER, "hello y\u00f6u"))
        self.assertRegex(entry["time"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")

    def test_a_field_of_a_record_is_kept_and_null_where_it_has_no_value(self):
        entry = json.loads(as_json("back", dependency="mongodb", reason=None, detail=None))
        self.assertEqual((entry["dependency"], entry["reason"], entry["detail"]), ("mongodb", None, None))

    def test_an_exception_has_its_traceback_under_its_own_key(self):
        entry = json.loads(as_json("failed", level=logging.ERROR, exc_info=raised(ValueError("one\ntwo"))))
        self.assertEqual(list(entry), ["time", "level", "logger", "message", "exception"])
        self.assertTrue(entry["exception"].startswith("Traceback (most recent call last):\n"))
        self.assertTrue(entry["exception"].endswith("\nValueError: one\ntwo"))

    def test_a_line_stays_printable_and_loses_nothing(self):
        nasty = 'a\nb\r\x1b[31m\x9b\x85\u2028\u2029\x7f\x00\udcff"\\\u00fc\u202e\u200b\ufeff\U000e0041'
        for line in (as_json("%s", nasty), as_json("x", exc_info=raised(ValueError(nasty)))):
            with self.subTest(line):
                self.assertEqual(len(line.splitlines()), 1)
                self.assertNotRegex(line, r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
                self.assertIn(nasty, "".join(json.loads(line).values()))


class EscapeTest(unittest.TestCase):
    def test_characters_that_nobody_sees_are_escaped_and_all_others_stay(self):
        by_category = {}
        for each in map(chr, range(sys.maxunicode + 1)):
            by_category.setdefault(unicodedata.category(each), []).append(each)
        for category, characters in by_category.items():
            hidden = category in {"Cc", "Cf", "Cs", "Zl", "Zp"}
            some = characters[:500]
            for form in (text, as_json):
                with self.subTest(category, form=form.__name__):
                    line = form("%s", "".join(some))
                    shown = set(some) & set(line) - {"\t", '"', "\\"}
                    self.assertEqual(shown, set() if hidden else set(some) - {'"', "\\"})


class LengthTest(unittest.TestCase):
    def test_a_line_is_never_longer_than_8_KiB_and_hardly_ever_shorter_when_it_is_cut(self):
        for each in ("a", "\t", "\n", "\x80", "\u00fc", "\u202e", "\U000e0041", "\U0001f600", "\udcff", '"', "\\"):
            long = each * 100_000
            self.assertLessEqual(len(f"{text('%s', each * 8000)}\n".encode()), LIMIT)
            self.assertLessEqual(len(f"{as_json('%s', each * 8000)}\n".encode()), LIMIT)
            error = raised(ValueError(long))
            for form in (text, as_json):
                for name, line in (
                    ("message", form("%s", long)),
                    ("exception", form("failed", exc_info=error)),
                    ("all", form("%s", long, exc_info=error, stack=long, detail=long, count=1)),
                ):
                    with self.subTest(character=ascii(each), form=form.__name__, part=name):
                        self.assertTrue(7_500 < len(f"{line}\n".encode()) <= LIMIT, len(line))
                        self.assertRegex(line, r"\[\.\.\. cut out of \d+ characters \.\.\.\]")
                        if form is as_json:
                            json.loads(line)

    def test_a_line_that_fits_is_not_cut(self):
        for form, framing in ((text, len(text(""))), (as_json, len(as_json("")))):
            fits = "a" * (LIMIT - framing - 10)
            with self.subTest(form.__name__):
                self.assertIn(fits, form("%s", fits))

    def test_a_traceback_that_is_cut_keeps_its_beginning_and_its_end(self):
        def one(depth):
            other(depth - 1)

        def other(depth):  # with one alone, Python would count the lines that repeat
            if not depth:
                raise ValueError("the cause")
            one(depth)

        try:
            one(100)
        except ValueError as error:
            line = text("failed", exc_info=(type(error), error, error.__traceback__))
        lines = line.split("\n")
        self.assertEqual(lines[1], "\tTraceback (most recent call last):")
        self.assertEqual(lines[-1], "\tValueError: the cause")
        self.assertIn("[... cut out of ", line)
        self.assertTrue(all(each.startswith("\t") for each in lines[1:]))


class RedactionTest(unittest.TestCase):
    """In both formats, in messages and in tracebacks."""

    SECRETS = ("hunter%2Fx", "hunter/x", 'hun"ter\\1', "hun'ter\n2", "hunter")

    def lines(self, message, secrets=SECRETS):
        error = raised(ValueError(f"went wrong: {message}"))
        for form in (text, as_json):
            yield form("%s", message, secrets=secrets)
            yield form("%r", message, secrets=secrets)
            yield form("plain", exc_info=error, secrets=secrets)
            yield form("plain", stack=message, secrets=secrets)

    def test_a_secret_is_removed_as_it_is_and_as_repr_shows_it(self):
        for secret in self.SECRETS:
            for line in self.lines(f"a {secret} b"):
                with self.subTest(secret, line=line):
                    self.assertNotIn("hun", line.replace("hunter.py", ""))
                    self.assertIn("***", line)

    def test_of_two_secrets_the_longer_one_goes_first(self):
        self.assertRegex(text("hunter/x", secrets=self.SECRETS), r" \*\*\*\Z")

    def test_the_userinfo_of_any_url_is_removed(self):
        for url, shown in (
            ("mongodb://u:p@h:1", "mongodb://***@h:1"),
            ("http://token@h/x", "http://***@h/x"),
            ("amqp+x://u:p@q@h", "amqp+x://***@h"),
            ("http://u:p'q\"r@h", "http://***@h"),
            ("https://h/a@b", "https://h/a@b"),
            ("see http://h:80 or a@b", "see http://h:80 or a@b"),
            ("http://u:p@h,wss://v:q@i", "http://***@h,wss://***@i"),
        ):
            with self.subTest(url):
                self.assertRegex(text("to %s end", url), rf" to {re.escape(shown)} end\Z")
                self.assertEqual(json.loads(as_json("to %s end", url))["message"], f"to {shown} end")
                self.assertIn(shown, text("x", exc_info=raised(ValueError(url))))

    def test_a_short_secret_does_not_blot_out_every_line(self):
        self.assertRegex(text("a ba http://u:a@h", secrets=["a"]), r" a ba http://\*\*\*@h\Z")

    def test_characters_of_patterns_in_a_secret_have_no_special_meaning(self):
        self.assertRegex(text("a .*+? bcde", secrets=[".*+?"]), r" a \*\*\* bcde\Z")

    def test_a_secret_that_is_a_word_of_the_format_leaves_the_format_alone(self):
        entry = json.loads(as_json("the message", secrets=["message", "level"]))
        self.assertEqual(entry["message"], "the ***")
        self.assertTrue(text("INFO", secrets=["INFO"]).startswith("INFO: 2"))
