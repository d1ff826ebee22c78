"""Runs the tests; see bin/test.

With names, `python -m tests [-v] NAME...` runs those tests in this process. Without, it runs every folder of tests in a
process of its own, several at a time because most of their time is waiting, and measures coverage. With CI=true they run
one at a time: nobody waits, and a test with a deadline has the machine to itself.

A test counts once, whatever its subtests do. An error is a failure, and so is an exception in a thread or a finalizer.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import faulthandler
import gc
import itertools
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
HUNG_SECONDS = 600  # a test that takes this long ends the process, with the tracebacks of all threads
WHEN_ASKED = {"tests.ai_services", "tests.container"}  # they install servers, or need an engine
OUTCOMES = ("passed", "failed", "skipped")


def modules_under(name):
    """The names of all test modules in a folder, sorted."""
    paths = sorted((ROOT / name.replace(".", "/")).rglob("test_*.py"))
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]


def outside_of_every_test():
    """The name under which an exception is reported that no test caused while it ran."""


class Result(unittest.TextTestResult):
    """Takes the time of each test, and adds to the errors what threads and finalizers raise."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.seconds = {}
        self._test = unittest.FunctionTestCase(outside_of_every_test)
        threading.excepthook = self._note_thread
        sys.unraisablehook = self._note_unraisable

    def startTest(self, test):
        super().startTest(test)
        self._test, self._began = test, time.monotonic()
        faulthandler.dump_traceback_later(HUNG_SECONDS, exit=True, file=sys.__stderr__)

    def stopTest(self, test):
        self.seconds[test.id()] = time.monotonic() - self._began
        super().stopTest(test)

    def stopTestRun(self):
        self._test = unittest.FunctionTestCase(outside_of_every_test)
        gc.collect()
        faulthandler.cancel_dump_traceback_later()
        super().stopTestRun()

    def tally(self):
        """The number of tests by outcome."""

        def ids(tests):  # a subtest counts as the test that it is a part of
            return {getattr(test, "test_case", test).id() for test in tests}

        failed = ids([test for test, _ in self.failures + self.errors] + self.unexpectedSuccesses)
        skipped = ids(test for test, _ in self.skipped) - failed
        passed = self.seconds.keys() - failed - skipped
        return dict(zip(OUTCOMES, map(len, (passed, failed, skipped)), strict=True))

    def _note_thread(self, args):
        if args.exc_type is not SystemExit:
            self._note(f"Uncaught in thread {args.thread.name}", args)

    def _note_unraisable(self, args):
        self._note(f"{args.err_msg or 'Exception ignored in'} {args.object!r}", args)

    def _note(self, where, args):
        # Formatted at once: keeping the object of a finalizer would bring it back to life.
        trace = traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
        self.errors.append((self._test, f"{where}:\n{''.join(trace)}"))


def run_here(names, verbose):
    """Run tests in this process; their number by outcome. A name that cannot be imported is a test that fails."""
    modules = [module for name in names for module in (modules_under(name) or [name])]
    runner = unittest.TextTestRunner(verbosity=1 + verbose, buffer=True, resultclass=Result)
    result = runner.run(unittest.TestLoader().loadTestsFromNames(modules))
    for name, seconds in sorted(result.seconds.items(), key=lambda item: -item[1])[:10]:
        if seconds >= 0.5:
            print(f"{seconds:6.1f} s  {name}")
    return result.tally()


def run_folder(name, options):
    """Run a folder of tests in a process of its own and print its output; the number of tests by outcome."""
    command = [sys.executable, "-W", "error", "-X", "dev", "-m", "coverage", "run", "-m", "tests", *options, name]
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
    print(f"\n== {name}\n{ran.stdout}", flush=True)
    numbers = re.search(r"^(\d+) passed, (\d+) failed, (\d+) skipped\n\Z", ran.stdout, re.MULTILINE)
    return dict(zip(OUTCOMES, map(int, numbers.groups()), strict=True)) if numbers else {"failed": 1}


def run_all(options):
    """Run all tests but those of WHEN_ASKED and report the coverage; one that is too low (setup.cfg) is a failure."""
    folders = sorted({".".join(name.split(".")[:2]) for name in modules_under("tests")} - WHEN_ASKED)
    tally = collections.Counter()
    (ROOT / "build/coverage").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:  # another run may go on at the same time
        os.environ["COVERAGE_FILE"] = f"{folder}/data"
        at_a_time = 1 if os.environ.get("CI") == "true" else 2 * os.cpu_count()
        with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
            for part in pool.map(run_folder, folders, itertools.repeat(options)):
                tally.update(part)
        coverage = [sys.executable, "-m", "coverage"]
        subprocess.run([*coverage, "combine", "-q"])
        tally["failed"] += subprocess.run([*coverage, "report"]).returncode > 0
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{folder}/data", ROOT / "build/coverage/data")  # for `coverage html`
    return tally


def main():
    parser = argparse.ArgumentParser(prog="tests", usage="python -m tests [-v] [NAME...]")
    parser.add_argument("-v", "--verbose", action="store_true", help="print the name of each test")
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as tests.health or tests.health.test_record")
    options = parser.parse_args()
    os.chdir(ROOT)
    tally = run_here(options.names, options.verbose) if options.names else run_all(["-v"] * options.verbose)
    print(", ".join(f"{tally[outcome]} {outcome}" for outcome in OUTCOMES), flush=True)
    sys.exit(0 if sum(tally.values()) and not tally["failed"] else 1)


if __name__ == "__main__":
    main()
