"""What the driver's errors are called."""

import unittest

import dns.exception
from bson.errors import InvalidBSON
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ProtocolError,
)

from app.checks.mongodb_reason import driver_cause
from app.net.reason import MOST_TELLING, NO_NAME_SERVER, Reason


class DriverCauseTest(unittest.TestCase):
    def test_every_error_has_its_word_and_every_word_its_rank(self):
        for error, reason in [
            (OperationFailure("Authentication failed.", 18), Reason.AUTH),
            (OperationFailure("not found", 26), Reason.ERROR),
            (NotPrimaryError("not primary"), Reason.NO_PRIMARY),
            (NetworkTimeout("db:1: timed out"), Reason.TIMEOUT),
            (AutoReconnect("db:1: connection closed"), Reason.CLOSED),
            (AutoReconnect("db:1: [Errno 104] Connection reset by peer"), Reason.CLOSED),
            (AutoReconnect("db:1: [Errno 111] Connection refused"), Reason.REFUSED),
            (AutoReconnect("db:1: [Errno 113] No route to host"), Reason.UNREACHABLE),
            (AutoReconnect("/mongodb.sock: [Errno 13] Permission denied"), Reason.UNREACHABLE),
            (AutoReconnect("db:1: [Errno -2] Name or service not known"), Reason.DNS),
            (AutoReconnect("db:1: [Errno 24] Too many open files"), Reason.ERROR),
            (AutoReconnect("SSL handshake failed: db:1: [SSL: WRONG_VERSION_NUMBER] wrong version"), Reason.TLS),
            (AutoReconnect("db:1: EOF occurred in violation of protocol (_ssl.c:2427)"), Reason.CLOSED),
            (UnicodeError("label too long"), Reason.DNS),
            (dns.exception.Timeout(), Reason.DNS),
            (dns.exception.DNSException(), Reason.DNS),
            (ProtocolError("Got opcode 1"), Reason.PROTOCOL),
            (InvalidBSON("invalid length"), Reason.PROTOCOL),
            (TypeError("'<' not supported"), Reason.PROTOCOL),
            (ConfigurationError("of another set"), None),
            (RuntimeError("can't start new thread"), None),
        ]:
            with self.subTest(error):
                cause = driver_cause(error)
                self.assertEqual(cause and cause.reason, reason)
                self.assertIn(reason or Reason.ERROR, MOST_TELLING)

    def test_a_name_server_that_does_not_answer_differs_from_a_name_that_does_not_exist(self):
        self.assertEqual(driver_cause(dns.exception.Timeout()), NO_NAME_SERVER)
        self.assertEqual(driver_cause(dns.exception.DNSException()).detail, "name not found")

    def test_the_detail_says_what_is_wrong_with_a_certificate(self):
        for words, detail in [
            ("certificate verify failed: certificate has expired", "certificate expired"),
            (
                "certificate verify failed: Hostname mismatch, certificate is not valid for 'db'",
                "certificate is for another name",
            ),
            ("certificate verify failed: self-signed certificate", "certificate is self-signed"),
            ("wrong version number", "TLS handshake failed"),
        ]:
            cause = driver_cause(AutoReconnect(f"SSL handshake failed: db:1: [SSL: CERTIFICATE_VERIFY_FAILED] {words}"))
            self.assertEqual(cause, (Reason.TLS, detail))


if __name__ == "__main__":
    unittest.main()
