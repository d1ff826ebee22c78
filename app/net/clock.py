"""The clock on which ages and deadlines are counted."""

import time
from collections.abc import Callable
from functools import partial

clock: Callable[[], float] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
)
"""Seconds of a clock that never goes back and that counts the time a suspended machine slept.

On systems without such a clock (macOS), it stands still while the machine sleeps.
"""
