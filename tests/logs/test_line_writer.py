"""The queue before a stream, and the thread that writes."""

import fcntl
import os
import struct
import termios
import unittest
from unittest import mock

from app.logs.line_writer import MOST_BYTES, MOST_LINES, LineWriter
from tests.peers.service import eventually

SECONDS = 30.0
PAGE = 4096


class LineWriterTest(unittest.TestCase):
    """Into a pipe that holds one page."""

    def setUp(self):
        reader, self.descriptor = os.pipe()
        fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, PAGE)
        self.reader = self.enterContext(open(reader, "rb"))
        self.lines = LineWriter(self.descriptor, "stdout")
        self.addCleanup(self.finish)

    def finish(self):
        self.lines.stop()
        self.reader.close()  # which sets a thread free that waits for a reader
        self.lines.join(SECONDS)
        os.close(self.descriptor)

    def fill(self):
        """Have the thread wait for a reader, with an empty queue behind it."""
        self.lines.put(b"-" * PAGE + b"\n")
        eventually(lambda: struct.unpack("i", fcntl.ioctl(self.descriptor, termios.FIONREAD, bytes(4)))[0] == PAGE)

    def test_lines_are_written_in_the_order_in_which_they_were_put(self):
        put = [b"%d\n" % number for number in range(MOST_LINES)]
        for line in put:
            self.lines.put(line)
        self.assertEqual([self.reader.readline() for _ in put], put)
        self.assertEqual(self.lines.dropped, 0)

    def test_a_line_longer_than_the_pipe_is_written_whole(self):
        self.lines.put(b"x" * 10 * PAGE + b"\n")
        self.assertEqual(len(self.reader.readline()), 10 * PAGE + 1)

    def test_a_line_is_written_where_the_descriptor_does_not_block(self):
        os.set_blocking(self.descriptor, False)
        self.lines.put(b"x" * 10 * PAGE + b"\n")
        self.assertEqual(len(self.reader.readline()), 10 * PAGE + 1)

    def dropped(self, line, count):
        self.fill()
        for _ in range(count):
            self.lines.put(line)
        return self.lines.dropped

    def test_lines_that_are_too_many_are_dropped_and_counted_while_nothing_reads(self):
        self.assertEqual(self.dropped(b"x", MOST_LINES + 5), 5)

    def test_lines_that_are_too_long_together_are_dropped_and_counted_while_nothing_reads(self):
        self.assertEqual(self.dropped(b"x" * (MOST_BYTES // 8), 8 + 5), 5)

    def test_the_log_itself_reports_how_many_lines_it_lacks(self):
        self.fill()
        for number in range(MOST_LINES + 5):
            self.lines.put(b"%d\n" % number)
        with self.assertLogs("app.logs.line_writer", "WARNING") as logged:
            self.reader.readline()
            while self.reader.readline() != b"%d\n" % (MOST_LINES - 1):
                pass
            eventually(lambda: logged.records)
        self.assertEqual(
            [each.getMessage() for each in logged.records], ["5 lines to stdout were dropped because nothing read them"]
        )

    def test_lines_without_a_reader_are_dropped_and_counted(self):
        self.reader.close()
        self.lines.put(b"a\n")
        self.lines.put(b"b\n")
        self.lines.stop()
        self.lines.join(SECONDS)
        self.assertEqual(self.lines.dropped, 2)

    def test_lines_wait_in_the_queue_while_no_thread_can_be_had(self):
        with mock.patch("threading.Thread.start", side_effect=RuntimeError("can't start new thread")):
            for number in range(MOST_LINES + 1):
                self.lines.put(b"%d\n" % number)
        self.assertEqual(self.lines.dropped, 1)
        self.lines.put(b"no room\n")
        self.assertEqual([int(self.reader.readline()) for _ in range(MOST_LINES)], list(range(MOST_LINES)))

    def test_stopping_writes_what_is_queued_and_nothing_that_comes_later(self):
        self.lines.put(b"a\n")
        self.lines.stop()
        self.lines.put(b"b\n")
        self.lines.join(SECONDS)
        os.set_blocking(self.reader.fileno(), False)
        self.assertEqual(self.reader.read(), b"a\n")
        self.assertEqual(self.lines.dropped, 1)
