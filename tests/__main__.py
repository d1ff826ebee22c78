"""Runs the tests: `python -W error -X dev -m tests [-v] [NAME...]`, where a NAME is `tests.health`,
`tests.health.test_prober` or a class or method in it; without one, everything but `tests.container`.

The last line is `N passed, N failed, N skipped`. A test counts once, whatever its subtests do; an error is a failure,
and so is an exception that nobody could catch (in a thread, in a finalizer).
"""

import argparse
import collections
import faulthandler
import gc
import pathlib
import sys
import threading
import time
import traceback
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
HUNG_SECONDS = 600  # a test that takes this long: all threads' tracebacks, and the end


def modules_under(package):
    """The dotted names of all test modules in a package of tests, sorted."""
    folder = ROOT / package.replace(".", "/")
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sorted(folder.rglob("test_*.py"))]


def find(names):
    """The suite that the names stand for; a name that cannot be imported becomes a test that fails."""
    if not names:
        names = [name for name in modules_under("tests") if not name.startswith("tests.container.")]
    expanded = [module for name in names for module in (modules_under(name) or [name])]
    return unittest.TestLoader().loadTestsFromNames(expanded)


def after_the_last_test():
    """The name under which is booked what only the last garbage collection shows."""


class Result(unittest.TextTestResult):
    """Keeps one outcome and the time for each test, and fails what threads and finalizers raise."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.outcomes = {}
        self.seconds = {}
        self._uncaught = []  # appended to by any thread
        threading.excepthook = self._note_thread
        sys.unraisablehook = self._note_unraisable

    def tally(self):
        """Outcome -> number of tests."""
        return collections.Counter(self.outcomes.values())

    def startTest(self, test):
        super().startTest(test)
        self.outcomes.setdefault(test.id(), "passed")
        self._began = time.monotonic()
        faulthandler.dump_traceback_later(HUNG_SECONDS, exit=True, file=sys.__stderr__)

    def stopTest(self, test):
        self.seconds[test.id()] = time.monotonic() - self._began
        self._fail_uncaught(test)
        super().stopTest(test)

    def stopTestRun(self):
        gc.collect()
        self._fail_uncaught(unittest.FunctionTestCase(after_the_last_test))
        faulthandler.cancel_dump_traceback_later()
        super().stopTestRun()

    def addError(self, test, err):
        super().addError(test, err)
        self._fail(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._fail(test)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._fail(test)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._fail(test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        key = getattr(test, "test_case", test).id()  # a subtest names the test it is part of
        if self.outcomes.get(key) != "failed":
            self.outcomes[key] = "skipped"

    def _fail(self, test):
        self.outcomes[test.id()] = "failed"

    def _fail_uncaught(self, test):
        while self._uncaught:
            self.errors.append((test, self._uncaught.pop(0)))
            self._fail(test)

    def _note_thread(self, args):
        if args.exc_type is not SystemExit:
            trace = traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
            self._uncaught.append(f"Uncaught in thread {args.thread.name}:\n{''.join(trace)}")

    def _note_unraisable(self, args):
        # Formatted at once: to keep the object would bring it back to life.
        trace = traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
        self._uncaught.append(f"{args.err_msg or 'Exception ignored in'} {args.object!r}:\n{''.join(trace)}")


def main():
    parser = argparse.ArgumentParser(prog="tests", usage="python -m tests [-v] [--tally FILE] [NAME...]")
    parser.add_argument("-v", "--verbose", action="store_true", help="print the name of each test")
    parser.add_argument("--tally", type=pathlib.Path, metavar="FILE", help="leave the last line there too")
    parser.add_argument("names", nargs="*", metavar="NAME", help="as in tests.health.test_prober")
    options = parser.parse_args()

    runner = unittest.TextTestRunner(verbosity=1 + options.verbose, buffer=True, resultclass=Result)
    result = runner.run(find(options.names))
    for name, seconds in sorted(result.seconds.items(), key=lambda item: -item[1])[:10]:
        if seconds >= 0.5:
            print(f"{seconds:6.1f} s  {name}")

    tally = result.tally()
    line = "{passed} passed, {failed} failed, {skipped} skipped".format(
        passed=tally["passed"], failed=tally["failed"], skipped=tally["skipped"]
    )
    print(line, flush=True)
    if options.tally:
        options.tally.write_text(line + "\n")
    sys.exit(0 if tally and not tally["failed"] else 1)


if __name__ == "__main__":
    main()
