"""The handler of all log records: two streams, the summary when a minute is over, and never a wait."""

import logging
import os
import tempfile
import threading
import time
import unittest
from unittest import mock

from app.logs.rate_limit import MOST, SECONDS
from app.logs.streams import StandardStreams


class FakeTimer:
    """A threading.Timer that runs when the test says so."""

    def __init__(self, seconds, action):
        self.seconds, self.fire, self.state = seconds, action, "made"

    def start(self):
        self.state = "started"

    def cancel(self):
        self.state = "cancelled"


class StandardStreamsTest(unittest.TestCase):
    def setUp(self):
        self.now = 1000.0
        self.timers = []
        self.files = [self.enterContext(tempfile.TemporaryFile()) for _ in range(2)]
        self.enterContext(mock.patch("app.logs.streams.CLOSE_SECONDS", 30.0))
        self.handler = self.made(*(file.fileno() for file in self.files))

    def made(self, out, err):
        handler = StandardStreams(out, err, clock=lambda: self.now, timer=self.timer)
        self.addCleanup(handler.close)
        return handler

    def timer(self, seconds, action):
        self.timers.append(FakeTimer(seconds, action))
        return self.timers[-1]

    def log(self, message, *values, count=1, level=logging.WARNING, name="app.web"):
        for _ in range(count):
            self.handler.handle(logging.LogRecord(name, level, __file__, 17, message, values, None))

    def written(self):
        """The lines of stdout and those of stderr, once the handler has been closed."""
        self.handler.close()
        for file in self.files:
            file.seek(0)
        return [file.read().decode().splitlines() for file in self.files]

    def test_a_minute_is_summed_up_when_it_is_over_though_nothing_more_is_logged(self):
        self.log("x %s", "y", count=MOST)
        self.assertEqual(self.timers, [])
        self.now += 20
        self.log("x %s", "y", count=7)
        [timer] = self.timers
        self.assertEqual(
            (timer.seconds, timer.state, timer.name, timer.daemon), (SECONDS - 20, "started", "log-summary", True)
        )
        self.now += SECONDS - 20
        timer.fire()
        self.log("x %s", "y")
        out, _ = self.written()
        self.assertEqual(out, ["x y"] * MOST + ['7 more like "x ..." in the last minute', "x y"])

    def test_a_minute_is_summed_up_by_the_next_line_where_no_thread_can_be_had_for_it(self):
        with mock.patch.object(FakeTimer, "start", side_effect=RuntimeError("can't start new thread")):
            self.log("x", count=MOST + 2)
        self.assertEqual(len(self.timers), 2)  # each line tries again
        self.now += SECONDS
        self.log("of another kind", name="app.runtime")
        out, _ = self.written()
        self.assertEqual(out[MOST:], ['2 more like "x" in the last minute', "of another kind"])

    def test_a_minute_is_summed_up_at_the_end_of_the_process_at_the_latest(self):
        self.log("x", count=MOST + 1, level=logging.ERROR)
        _, err = self.written()
        self.assertEqual(err[MOST:], ['1 more like "x" in the last minute'])
        self.assertEqual(self.timers[0].state, "cancelled")

    def test_a_record_that_cannot_be_formatted_is_replaced_by_the_place_it_comes_from(self):
        self.log("%d", "no number")
        self.log("next")
        out, err = self.written()
        self.assertEqual((out, err), ([f"TypeError in a log call at {__file__}:17", "next"], []))

    def test_a_recursion_that_is_too_deep_is_the_callers_to_handle(self):
        class Deep:
            def __str__(self):
                return str(self)

        with self.assertRaises(RecursionError):
            self.log("%s", Deep())
        self.log("next")
        self.assertEqual(self.written(), [["next"], []])

    def test_a_stream_that_nobody_reads_does_not_hold_up_the_other_nor_the_end(self):
        reader, full = os.pipe()
        os.set_blocking(full, False)
        with self.assertRaises(BlockingIOError):
            while True:
                os.write(full, b"-" * 4096)
        os.set_blocking(full, True)
        self.handler = self.made(full, self.files[1].fileno())
        self.log("blocked")
        self.log("read", level=logging.ERROR)
        began = time.monotonic()
        with mock.patch("app.logs.streams.CLOSE_SECONDS", 0.3):
            _, err = self.written()
        self.assertEqual(err, ["read"])
        self.assertLess(time.monotonic() - began, 10)
        os.close(reader)  # which ends the thread that waits
        self.handler.close()
        os.close(full)

    def test_a_closed_handler_drops_and_counts(self):
        self.handler.close()
        self.log("x")
        self.log("x", level=logging.ERROR)
        self.assertEqual((self.handler.dropped, self.written()), (2, [[], []]))

    def test_threads_are_started_when_there_is_something_to_write_and_end_with_the_handler(self):
        def names():
            return sorted(each.name for each in threading.enumerate() if each.name.startswith("log-"))

        before = names()
        self.log("x")
        self.assertEqual(names(), [*before, "log-stdout"])
        self.log("x", level=logging.ERROR)
        self.assertEqual(names(), sorted([*before, "log-stderr", "log-stdout"]))
        self.handler.close()
        self.assertEqual(names(), before)
