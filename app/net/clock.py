"""The clock on which ages and deadlines are counted."""

import time


def _boot_time() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


clock = _boot_time if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
"""Seconds of a clock that never goes back and that counts the time a suspended machine slept.

On systems without such a clock (macOS), it stands still while the machine sleeps.
"""
