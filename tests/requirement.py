"""What a test needs from the machine. If the machine lacks it, the test is skipped on a laptop and fails in CI."""

import os
import unittest


def need(present: object, reason: str) -> None:
    """Raise unittest.SkipTest with `reason` unless `present` is true; with CI=true raise AssertionError.

    In CI a skipped test would hide that nothing was tested.
    """
    if present:
        return
    if os.environ.get("CI") == "true":
        raise AssertionError(f"CI must provide this: {reason}")
    raise unittest.SkipTest(reason)
