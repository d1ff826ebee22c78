"""What a test needs from the machine: absent, it skips on a laptop and fails in CI."""

import os
import unittest


def need(present: object, reason: str) -> None:
    """Go on if `present` is true; else skip with `reason`, or fail where CI=true.

    Raises unittest.SkipTest, or AssertionError in CI: there a skipped test would hide that nothing was shown.
    """
    if present:
        return
    if os.environ.get("CI") == "true":
        raise AssertionError(f"CI must provide this: {reason}")
    raise unittest.SkipTest(reason)
