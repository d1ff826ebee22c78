"""The clock on which ages and deadlines are counted."""

import time
import unittest

from app.net.clock import clock
from tests.requirement import need


class ClockTest(unittest.TestCase):
    def test_the_time_that_a_machine_was_suspended_counts(self):
        need(hasattr(time, "CLOCK_BOOTTIME"), "a clock that counts suspended time, as on Linux")
        before, now, after = time.clock_gettime(time.CLOCK_BOOTTIME), clock(), time.clock_gettime(time.CLOCK_BOOTTIME)
        self.assertLessEqual(before, now)
        self.assertLessEqual(now, after)


if __name__ == "__main__":
    unittest.main()
