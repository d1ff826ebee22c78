"""How a check ends, and in which word."""

import errno
import socket
import ssl
import unittest

from app.checks.check import Check, CheckFailed, perform
from app.net.reason import CERTIFICATE_REFUSED, Reason
from tests.fakes import ScriptedClock


class ScriptedCheck(Check):
    """Takes `seconds` of `clock`, then raises `error` if there is one."""

    def __init__(self, error=None, seconds=0.0):
        super().__init__("scripted")
        self.clock = ScriptedClock(100.0)
        self.error, self.seconds = error, seconds

    def run(self, deadline):
        self.clock.advance(self.seconds)
        self.left = deadline.remaining()
        if self.error:
            raise self.error


def caused_by(cause):
    error = ValueError("outermost")
    error.__cause__ = cause
    return error


class CheckTest(unittest.TestCase):
    def test_a_run_that_raises_nothing_is_connected_and_timed(self):
        check = ScriptedCheck(seconds=0.5)
        outcome = perform(check, 5.0, check.clock)
        self.assertEqual((outcome.reason, outcome.latency, outcome.error, check.left), (None, 0.5, None, 4.5))

    def test_every_error_has_its_word(self):
        for error, reason in [
            (CheckFailed(Reason.HTTP_STATUS, "500"), Reason.HTTP_STATUS),
            (socket.gaierror(-2, "Name or service not known"), Reason.DNS),
            (TimeoutError(), Reason.TIMEOUT),
            (OSError(errno.ETIMEDOUT, "timed out"), Reason.TIMEOUT),
            (ConnectionRefusedError(), Reason.REFUSED),
            (ConnectionResetError(), Reason.CLOSED),
            (BrokenPipeError(), Reason.CLOSED),
            (OSError(errno.EHOSTUNREACH, "No route to host"), Reason.UNREACHABLE),
            (OSError(errno.ENETUNREACH, "Network is unreachable"), Reason.UNREACHABLE),
            (FileNotFoundError(errno.ENOENT, "No such file or directory"), Reason.UNREACHABLE),
            (PermissionError(errno.EACCES, "Permission denied"), Reason.UNREACHABLE),
            (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), Reason.UNREACHABLE),
            (OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol"), Reason.UNREACHABLE),
            (ssl.SSLCertVerificationError("untrusted"), Reason.TLS),
            (ssl.SSLEOFError("EOF"), Reason.CLOSED),
            (OSError(errno.EMFILE, "Too many open files"), Reason.ERROR),
            (RuntimeError("can't start new thread"), Reason.ERROR),
            (ValueError("unforeseen"), Reason.ERROR),
            (caused_by(ConnectionRefusedError()), Reason.REFUSED),
            (caused_by(caused_by(TimeoutError())), Reason.TIMEOUT),
        ]:
            with self.subTest(error):
                outcome = perform(ScriptedCheck(error), 5.0)
                self.assertEqual((outcome.reason, outcome.error), (reason, error))

    def test_every_alert_that_refuses_our_certificate_has_the_same_words(self):
        for reason in ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_BAD_CERTIFICATE", "TLSV1_ALERT_UNKNOWN_CA"):
            alert = ssl.SSLError(1, reason)
            alert.reason = reason
            self.assertEqual(perform(ScriptedCheck(alert), 5.0).cause, CERTIFICATE_REFUSED)

    def test_an_error_that_is_its_own_cause_ends_the_search(self):
        error = ValueError("round")
        error.__cause__ = caused_by(error)
        self.assertEqual(perform(ScriptedCheck(error), 5.0).reason, Reason.ERROR)

    def test_the_end_of_the_process_is_not_an_outcome(self):
        with self.assertRaises(SystemExit):
            perform(ScriptedCheck(SystemExit()), 5.0)


if __name__ == "__main__":
    unittest.main()
