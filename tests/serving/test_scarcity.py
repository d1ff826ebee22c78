import errno
import math
import os
import unittest

from app.serving.scarcity import PAUSE_SECONDS, PLENTY_SECONDS, Scarcity

ERROR = OSError(errno.EMFILE, os.strerror(errno.EMFILE))


class TestScarcity(unittest.TestCase):
    def test_its_beginning_and_its_end_are_logged_once_each(self):
        scarcity = Scarcity()
        with self.assertLogs("app.serving.scarcity", "INFO") as logged:
            for now in (1.0, 2.0, 8.0):
                scarcity.failed(ERROR, now)
            self.assertEqual(scarcity.over_at, 8.0 + PLENTY_SECONDS)
            scarcity.end()
            self.assertEqual(scarcity.over_at, math.inf)
            scarcity.failed(ERROR, 100.0)
        begin = "no room for new connections (Too many open files): making some by closing others"
        end = "there has been room for every new connection for 10 s"
        self.assertEqual([entry.getMessage() for entry in logged.records], [begin, end, begin])

    def test_a_pause_is_over_after_a_while_or_when_something_is_freed(self):
        scarcity = Scarcity()
        scarcity.pause(5.0)
        self.assertEqual(scarcity.paused_until, 5.0 + PAUSE_SECONDS)
        scarcity.freed()
        self.assertLess(scarcity.paused_until, 5.0)
