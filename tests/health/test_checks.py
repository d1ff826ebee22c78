"""How a check ends, and in which word."""

import errno
import socket
import ssl
import unittest

from app.health.checks import Check, CheckFailed, Reason


class Scripted(Check):
    """Takes `seconds` of a clock of its own, then raises `error` if there is one."""

    def __init__(self, error=None, seconds=0.0):
        self.now = 100.0
        super().__init__("scripted", 5.0, clock=lambda: self.now)
        self.error, self.seconds, self.tidied = error, seconds, 0

    def _ask(self, deadline):
        self.deadline = deadline
        self.now += self.seconds
        if self.error:
            raise self.error

    def _tidy(self, deadline):
        self.now += 50
        self.tidied += 1


def caused_by(cause):
    error = ValueError("outermost")
    error.__cause__ = cause
    return error


class CheckTest(unittest.TestCase):
    def test_it_is_connected_if_nothing_is_raised(self):
        check = Scripted(seconds=0.5)
        outcome = check.run()
        self.assertEqual((outcome.reason, outcome.latency, outcome.error), (None, 0.5, None))
        self.assertEqual(check.deadline, 105.0)

    def test_tidying_up_is_done_either_way_and_not_the_dependencys_time(self):
        for error in (None, OSError("no")):
            check = Scripted(error, seconds=0.5)
            self.assertEqual((check.run().latency, check.tidied), (0.5, 1))

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
            (ssl.SSLCertVerificationError("untrusted"), Reason.TLS),
            (ssl.SSLEOFError("EOF"), Reason.CLOSED),
            (caused_by(caused_by(ConnectionRefusedError())), Reason.REFUSED),
            (ValueError("what?"), Reason.ERROR),
        ]:
            with self.subTest(repr(error)):
                outcome = Scripted(error).run()
                self.assertEqual((outcome.reason, outcome.error), (reason, error))

    def test_a_chain_that_bites_its_tail_ends(self):
        error = ValueError("a")
        error.__cause__ = other = ValueError("b")
        other.__cause__ = error
        self.assertEqual(Scripted(error).run().reason, Reason.ERROR)

    def test_what_is_no_exception_is_not_caught(self):
        with self.assertRaises(SystemExit):
            Scripted(SystemExit()).run()

    def test_no_time_left_is_a_timeout(self):
        check = Scripted()
        with self.assertRaises(TimeoutError):
            check._left(check.now)
