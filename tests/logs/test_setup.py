"""Setting up logging: what goes to which stream, and what others report through it."""

import contextlib
import json
import logging
import re
import subprocess
import sys
import tempfile
import threading
import types
import unittest
import warnings
from unittest import mock

from app.logs.setup import configure, dropped_lines

STAMP = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d"
LOGGER = "app.test"


@contextlib.contextmanager
def configured(level="INFO", style="text", secrets=()):
    """Logging as in the service within the block; after it, the yielded object has what was written to `out`, `err`."""
    root, hooks = logging.getLogger(), (threading.excepthook, sys.unraisablehook)
    handlers, old_level = root.handlers[:], root.level
    logged = types.SimpleNamespace()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            with mock.patch("app.logs.streams.CLOSE_SECONDS", 30):  # it takes no longer than it must
                configure(level, style, secrets, out.fileno(), err.fileno())
                yield logged
                root.handlers[0].close()
        finally:
            logging.captureWarnings(False)
            threading.excepthook, sys.unraisablehook = hooks
            root.handlers[:], root.level = handlers, old_level
            for name in ("pymongo", "urllib3"):
                logging.getLogger(name).setLevel(logging.NOTSET)
        for name, file in (("out", out), ("err", err)):
            file.seek(0)
            setattr(logged, name, file.read().decode())


class ConfigureTest(unittest.TestCase):
    def test_records_below_error_go_to_stdout_and_the_others_to_stderr(self):
        with configured("DEBUG") as logged:
            for level in ("debug", "info", "warning", "error", "critical"):
                getattr(logging.getLogger(LOGGER), level)("m-%s", level)
        self.assertEqual(re.findall(r"m-\w+", logged.out), ["m-debug", "m-info", "m-warning"])
        self.assertEqual(re.findall(r"m-\w+", logged.err), ["m-error", "m-critical"])

    def test_nothing_below_the_level_is_logged(self):
        for level, seen in (("INFO", 4), ("WARNING", 3), ("ERROR", 2), ("CRITICAL", 1)):
            with self.subTest(level):
                with configured(level) as logged:
                    for logger in (LOGGER, "pymongo.topology"):
                        for each in ("debug", "info", "warning", "error", "critical"):
                            getattr(logging.getLogger(logger), each)("x")
                self.assertEqual(len((logged.out + logged.err).splitlines()), 2 * seen)

    def test_the_libraries_that_would_log_at_every_check_stay_quiet(self):
        with configured("DEBUG") as logged:
            logging.getLogger("pymongo.command").debug("x")
            logging.getLogger("urllib3.connectionpool").warning("x")
        self.assertEqual(logged.out, "")

    def test_json_goes_to_the_same_streams(self):
        with configured(style="json", secrets=["hunter2"]) as logged:
            logging.getLogger(LOGGER).info("a hunter2")
            logging.getLogger(LOGGER).error("b")
        self.assertEqual(json.loads(logged.out)["message"], "a ***")
        self.assertEqual(json.loads(logged.err)["message"], "b")

    def test_configuring_twice_does_not_double_the_lines(self):
        with configured() as first, configured() as second:
            logging.getLogger(LOGGER).info("x")
        self.assertEqual((first.out, len(second.out.splitlines())), ("", 1))

    def test_a_warning_is_one_line_at_warn(self):
        with configured() as logged, warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("careful", ResourceWarning, stacklevel=1)
        self.assertRegex(logged.out, rf"\AWARN: {STAMP} .*ResourceWarning: careful.*\n\Z")
        self.assertEqual(logged.err, "")

    def test_lines_that_cannot_be_written_are_counted(self):
        with configured():
            logging.getLogger().handlers[0].close()
            logging.getLogger(LOGGER).info("x")
            logging.getLogger(LOGGER).error("x")
            self.assertEqual(dropped_lines(), 2)


class PanicTest(unittest.TestCase):
    def end_thread_with(self, error, **options):
        def work():
            raise error

        with configured(**options) as logged:
            thread = threading.Thread(target=work, name="worker-7")
            thread.start()
            thread.join()
        return logged.out + logged.err

    def test_an_exception_that_ends_a_thread_is_logged_once_with_its_traceback(self):
        for error in (ValueError("went wrong"), KeyboardInterrupt("went wrong")):
            with self.subTest(type(error)):
                lines = self.end_thread_with(error).splitlines()
                self.assertRegex(lines[0], rf"\AERROR: {STAMP} panic: thread worker-7 ended: went wrong\Z")
                self.assertEqual(lines[1], "\tTraceback (most recent call last):")
                self.assertEqual(lines[-1], f"\t{type(error).__name__}: went wrong")
                self.assertEqual(sum("panic" in line for line in lines), 1)

    def test_secrets_are_removed_from_an_exception_that_ends_a_thread(self):
        lines = self.end_thread_with(ValueError("hunter2 at http://u:p@h"), secrets=["hunter2"])
        self.assertIn("ended: *** at http://***@h", lines)
        self.assertNotIn("hunter2", lines)
        self.assertNotIn("u:p", lines)

    def test_a_thread_that_exits_is_not_a_panic(self):
        self.assertEqual(self.end_thread_with(SystemExit(3)), "")

    def test_a_thread_that_no_longer_exists_is_named_with_a_question_mark(self):
        error = ValueError("x")
        with configured() as logged:
            threading.excepthook(threading.ExceptHookArgs((type(error), error, None, None)))
        self.assertIn("panic: thread ? ended: x", logged.err)

    def test_an_exception_that_nothing_can_catch_is_logged_with_its_traceback(self):
        class Broken:
            def __del__(self):
                raise ValueError("went wrong")

        with configured() as logged:
            Broken()
        lines = logged.err.splitlines()
        self.assertRegex(lines[0], rf"\AERROR: {STAMP} Exception ignored in: <function .*Broken.__del__ at \w+>\Z")
        self.assertEqual(lines[-1], "\tValueError: went wrong")


class ProcessTest(unittest.TestCase):
    """With the real streams of a process of its own."""

    BEGIN = """
import logging, threading, warnings
from app.logs.setup import configure
configure("INFO", "text", {"hunter2"})
log = logging.getLogger("x")
"""

    def run_program(self, program, redirections=""):
        return subprocess.run(
            ["sh", "-c", f'exec "$0" "$@" {redirections}', sys.executable, "-W", "default", "-c", self.BEGIN + program],
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )

    def test_the_lines_of_a_process_are_written_before_it_ends(self):
        done = self.run_program(
            """
log.info("in hunter2 \\udcff \\u00fc")
log.error("bad\\nline")
warnings.warn("careful")
threading.Thread(target=lambda: 1 / 0, name="t").start()
"""
        )
        self.assertEqual(done.returncode, 0)
        out, err = done.stdout.splitlines(), done.stderr.splitlines()
        self.assertRegex(out[0], rf"\AINFO: {STAMP} in \*\*\* \\udcff \u00fc\Z")
        self.assertRegex(out[1], rf"\AWARN: {STAMP} .*careful")
        self.assertEqual(len(out), 2)
        self.assertRegex(err[0], rf"\AERROR: {STAMP} bad\\nline\Z")
        self.assertRegex(err[1], rf"\AERROR: {STAMP} panic: thread t ended: division by zero\Z")
        self.assertTrue(all(line.startswith("\t") for line in err[2:]))

    def test_lines_stay_in_order_where_both_streams_are_the_same(self):
        done = self.run_program("for n in range(200):\n    log.log(logging.ERROR if n % 2 else 20, '%d', n)", "2>&1")
        self.assertEqual([int(line.rpartition(" ")[2]) for line in done.stdout.splitlines()], list(range(200)))

    def test_nothing_is_written_into_a_file_that_has_the_number_of_a_closed_stream(self):
        done = self.run_program("log.info('x'); log.error('y')", ">&-")
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertRegex(done.stderr, rf"\AERROR: {STAMP} y\n\Z")

    def test_each_line_is_written_once_though_the_process_forks_while_nobody_reads(self):
        done = self.run_program(
            """
import fcntl, os, time
reader, writer = os.pipe()
os.set_blocking(writer, False)
try:
    while True:
        os.write(writer, b"-" * 4096)
except BlockingIOError:
    os.set_blocking(writer, True)
real = os.dup(1)
os.dup2(writer, 1)
log.info("of the parent")
pid = os.fork()
if not pid:
    os.dup2(real, 1)
    log.info("of the child")
    raise SystemExit(0)
assert os.waitpid(pid, 0)[1] == 0
log.info("of the parent, later")
os.dup2(real, 1)
while os.read(reader, 65536).endswith(b"-"):
    pass
"""
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(
            [line.partition(" of ")[2] for line in done.stdout.splitlines()], ["the child", "the parent, later"]
        )
