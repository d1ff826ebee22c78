"""The clock on which ages and deadlines are counted."""

import time
import unittest
import unittest.mock

from app.net.clock import clock
from tests.requirement import need


class ClockTest(unittest.TestCase):
    def test_the_time_that_a_machine_was_suspended_counts(self):
        need(hasattr(time, "CLOCK_BOOTTIME"), "a clock that counts suspended time, as on Linux")
        with unittest.mock.patch("time.clock_gettime", return_value=12.5) as gettime:
            self.assertEqual(clock(), 12.5)
        gettime.assert_called_once_with(time.CLOCK_BOOTTIME)


if __name__ == "__main__":
    unittest.main()
