"""How the service logs: the two formats, what goes where, and what no line may hold."""

import contextlib
import io
import json
import logging
import re
import subprocess
import sys
import threading
import unittest
import warnings

from app import log_setup
from app.log_setup import JsonLinesFormatter, Redactor, TextFormatter

STAMP = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d"
LOGGER = "app.test"


@contextlib.contextmanager
def configured(level="INFO", style="text", secrets=()):
    """Yields what the configured process has on its stdout and its stderr; all is as before afterwards."""
    out, err = io.StringIO(), io.StringIO()
    root, hook = logging.getLogger(), threading.excepthook
    handlers, old_level = root.handlers[:], root.level
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            log_setup.configure(level, style, secrets)
            yield out, err
    finally:
        logging.captureWarnings(False)
        threading.excepthook = hook
        root.handlers[:], root.level = handlers, old_level
        for name in ("pymongo", "urllib3"):
            logging.getLogger(name).setLevel(logging.NOTSET)


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

    def test_prefixes(self):
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

    def test_no_value_can_forge_a_line_or_order_a_terminal_about(self):
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
        self.assertRegex(entry["time"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}\Z")

    def test_an_exception_has_its_traceback_under_its_own_key(self):
        entry = json.loads(as_json("failed", level=logging.ERROR, exc_info=raised(ValueError("one\ntwo"))))
        self.assertEqual(list(entry), ["time", "level", "logger", "message", "exception"])
        self.assertTrue(entry["exception"].startswith("Traceback (most recent call last):\n"))
        self.assertTrue(entry["exception"].endswith("\nValueError: one\ntwo"))

    def test_it_stays_one_printable_line_and_loses_nothing(self):
        nasty = 'a\nb\r\x1b[31m\x9b\x85\u2028\u2029\x7f\x00\udcff"\\\u00fc'
        for line in (as_json("%s", nasty), as_json("x", exc_info=raised(ValueError(nasty)))):
            with self.subTest(line):
                self.assertEqual(len(line.splitlines()), 1)
                self.assertNotRegex(line, r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
                self.assertIn(nasty, "".join(json.loads(line).values()))


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

    def test_a_secret_is_taken_out_in_every_form_it_is_given_in(self):
        for secret in self.SECRETS:
            for line in self.lines(f"a {secret} b"):
                with self.subTest(secret, line=line):
                    self.assertNotIn("hun", line.replace("hunter.py", ""))
                    self.assertIn("***", line)

    def test_of_two_secrets_the_longer_one_goes_first(self):
        self.assertRegex(text("hunter/x", secrets=self.SECRETS), r" \*\*\*\Z")

    def test_what_stands_before_the_at_sign_of_any_url_is_taken_out(self):
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

    def test_what_has_a_meaning_in_patterns_is_taken_literally(self):
        self.assertRegex(text("a .*+? bcde", secrets=[".*+?"]), r" a \*\*\* bcde\Z")

    def test_a_secret_that_is_a_word_of_the_format_leaves_the_format_alone(self):
        entry = json.loads(as_json("the message", secrets=["message", "level"]))
        self.assertEqual(entry["message"], "the ***")
        self.assertTrue(text("INFO", secrets=["INFO"]).startswith("INFO: 2"))


class ConfigureTest(unittest.TestCase):
    def test_below_error_goes_to_stdout_and_the_rest_to_stderr(self):
        with configured("DEBUG") as (out, err):
            for level in ("debug", "info", "warning", "error", "critical"):
                getattr(logging.getLogger(LOGGER), level)("m-%s", level)
        self.assertEqual(re.findall(r"m-\w+", out.getvalue()), ["m-debug", "m-info", "m-warning"])
        self.assertEqual(re.findall(r"m-\w+", err.getvalue()), ["m-error", "m-critical"])

    def test_nothing_below_the_level_is_logged(self):
        for level, seen in (("INFO", 4), ("WARNING", 3), ("ERROR", 2), ("CRITICAL", 1)):
            with self.subTest(level), configured(level) as (out, err):
                for logger in (LOGGER, "pymongo.topology", "urllib3.connectionpool"):
                    for each in ("debug", "info", "warning", "error", "critical"):
                        getattr(logging.getLogger(logger), each)("x")
                self.assertEqual(len((out.getvalue() + err.getvalue()).splitlines()), 3 * seen)

    def test_at_debug_the_libraries_that_log_every_check_stay_quiet(self):
        with configured("DEBUG") as (out, _):
            logging.getLogger("pymongo.command").debug("x")
            logging.getLogger("urllib3.connectionpool").debug("x")
            self.assertEqual(out.getvalue(), "")

    def test_json_goes_the_same_ways(self):
        with configured(style="json", secrets=["hunter2"]) as (out, err):
            logging.getLogger(LOGGER).info("a hunter2")
            logging.getLogger(LOGGER).error("b")
        self.assertEqual(json.loads(out.getvalue())["message"], "a ***")
        self.assertEqual(json.loads(err.getvalue())["message"], "b")

    def test_to_configure_twice_does_not_double_the_lines(self):
        with configured() as (out, _):
            log_setup.configure("INFO", "text", ())
            logging.getLogger(LOGGER).info("x")
            self.assertEqual(len(out.getvalue().splitlines()), 1)

    def test_a_warning_is_one_line_at_warn(self):
        with configured() as (out, err), warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("careful", ResourceWarning, stacklevel=1)
        self.assertRegex(out.getvalue(), rf"\AWARN: {STAMP} .*ResourceWarning: careful.*\n\Z")
        self.assertEqual(err.getvalue(), "")


class ThreadPanicTest(unittest.TestCase):
    def end_thread_with(self, error, **options):
        def work():
            raise error

        with configured(**options) as (out, err):
            thread = threading.Thread(target=work, name="worker-7")
            thread.start()
            thread.join()
        return out.getvalue() + err.getvalue()

    def test_an_exception_that_ends_a_thread_is_logged_once_with_its_traceback(self):
        for error in (ValueError("went wrong"), KeyboardInterrupt("went wrong")):
            with self.subTest(type(error)):
                lines = self.end_thread_with(error).splitlines()
                self.assertRegex(lines[0], rf"\AERROR: {STAMP} panic: thread worker-7 ended: went wrong\Z")
                self.assertEqual(lines[1], "\tTraceback (most recent call last):")
                self.assertEqual(lines[-1], f"\t{type(error).__name__}: went wrong")
                self.assertEqual(sum("panic" in line for line in lines), 1)

    def test_secrets_are_taken_out_of_it(self):
        lines = self.end_thread_with(ValueError("hunter2 at http://u:p@h"), secrets=["hunter2"])
        self.assertIn("ended: *** at http://***@h", lines)
        self.assertNotIn("hunter2", lines)
        self.assertNotIn("u:p", lines)

    def test_a_thread_that_exits_is_no_panic(self):
        self.assertEqual(self.end_thread_with(SystemExit(3)), "")

    def test_a_thread_that_nobody_knows_any_more_is_named_so(self):
        with configured() as (_, err):
            threading.excepthook(threading.ExceptHookArgs((*raised(ValueError("x")), None)))
        self.assertIn("panic: thread ? ended: x", err.getvalue())


class ProcessTest(unittest.TestCase):
    """With the real streams of a process of its own."""

    def test_streams_formats_and_panics(self):
        program = """
import logging, threading, warnings
from app import log_setup
log_setup.configure("INFO", "text", {"hunter2"})
log = logging.getLogger("x")
log.info("in hunter2 \\udcff \\u00fc")
log.error("bad\\nline")
warnings.warn("careful")
threading.Thread(target=lambda: 1 / 0, name="t").start()
"""
        done = subprocess.run(
            [sys.executable, "-X", "utf8", "-c", program], capture_output=True, encoding="utf-8", timeout=60
        )
        self.assertEqual(done.returncode, 0)
        out, err = done.stdout.splitlines(), done.stderr.splitlines()
        self.assertRegex(out[0], rf"\AINFO: {STAMP} in \*\*\* \\udcff \u00fc\Z")
        self.assertRegex(out[1], rf"\AWARN: {STAMP} .*careful")
        self.assertEqual(len(out), 2)
        self.assertRegex(err[0], rf"\AERROR: {STAMP} bad\\nline\Z")
        self.assertRegex(err[1], rf"\AERROR: {STAMP} panic: thread t ended: division by zero\Z")
        self.assertTrue(all(line.startswith("\t") for line in err[2:]))
