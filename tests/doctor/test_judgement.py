"""What is meant by failures that no peer can be made to cause."""

import errno
import unittest

from app.checks.check import UNEXPECTED
from app.doctor import advice as a
from app.doctor.judgement import Words, judged
from app.net.reason import Cause, Reason, cause_of

WORDS = Words("HTTP", "`http://`", "`https://`")


class JudgedTest(unittest.TestCase):
    def test_scarcity_and_missing_permissions_are_distinguished_from_defects(self):
        for error, advice in (
            (OSError(errno.EMFILE, "Too many open files"), a.EXHAUSTED),
            (RuntimeError("can't start new thread"), a.EXHAUSTED),
            (PermissionError(errno.EACCES, "Permission denied"), a.NO_PERMISSION),
            (RecursionError("too deep"), a.UNEXPECTED.about(error="RecursionError")),
            (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), a.general(Cause(Reason.UNREACHABLE, ""))),
        ):
            with self.subTest(error):
                self.assertEqual(judged("connect", error, cause_of(error) or UNEXPECTED, WORDS), advice)


if __name__ == "__main__":
    unittest.main()
