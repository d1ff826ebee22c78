"""What is said about a certificate, in every case."""

import datetime
import ssl
import unittest

from app.doctor import advice as a
from app.doctor.certificates import advice_on, described, span

NOW = 1_795_464_000.0
DAY = 86400


def certificate(begins=-30, ends=30, names=("db.internal",), issuer="Corp CA", organization=None):
    """As `getpeercert` returns it; the days count from NOW."""

    def date(days):
        then = datetime.datetime.fromtimestamp(NOW + days * DAY, datetime.UTC)
        return then.strftime("%b %d %H:%M:%S %Y GMT")

    issuers = [((key, value),) for key, value in (("organizationName", organization), ("commonName", issuer)) if value]
    return {
        "subject": ((("commonName", "subject"),),),
        "issuer": tuple(issuers),
        "notBefore": date(begins),
        "notAfter": date(ends),
        "subjectAltName": tuple(("IP Address" if name[0].isdigit() else "DNS", name) for name in names),
    }


def refused(code):
    error = ssl.SSLCertVerificationError()
    error.verify_code = code
    error.verify_message = "CA cert does not include key usage extension"
    return error


class DescribedTest(unittest.TestCase):
    def test_issuer_names_and_days_left_are_named(self):
        for shown, words in (
            (certificate(), "issued by Corp CA for db.internal, valid for 30 days"),
            (certificate(ends=-3), "issued by Corp CA for db.internal, expired 3 days ago"),
            (certificate(begins=4), "issued by Corp CA for db.internal, not valid for another 4 days"),
            (certificate(names=()), "issued by Corp CA for subject, valid for 30 days"),
            (certificate(issuer="", organization="Corp"), "issued by Corp for db.internal, valid for 30 days"),
            (certificate(issuer=""), "issued by a nameless issuer for db.internal, valid for 30 days"),
        ):
            with self.subTest(words):
                self.assertEqual(described(shown, NOW), words)

    def test_dates_that_openssl_cannot_read_are_not_counted(self):
        shown = {**certificate(), "notAfter": "Bad time value"}
        expected = "issued by Corp CA for db.internal, with dates that cannot be read"
        self.assertEqual(described(shown, NOW), expected)

    def test_of_many_names_five_are_shown(self):
        shown = certificate(names=[f"{letter}.internal" for letter in "abcdefgh"])
        self.assertIn("a.internal, b.internal, c.internal, d.internal, e.internal and 3 more", described(shown, NOW))

    def test_a_time_is_in_days_or_below_two_days_in_hours(self):
        times = {5 * DAY + 5: "5 days", 2 * DAY: "2 days", 1.9 * DAY: "45 hours", 3600: "1 hour", 59: "0 hours"}
        self.assertEqual({seconds: span(seconds) for seconds in times}, times)


class AdviceTest(unittest.TestCase):
    def test_every_kind_of_refusal_has_its_sentences(self):
        for code, shown, advice in (
            (10, certificate(ends=-3), a.EXPIRED.about(time="3 days")),
            (10, certificate(), a.ISSUER_EXPIRED.about(setting="CA_BUNDLE")),
            (9, certificate(begins=4), a.NOT_YET_VALID.about(time="4 days")),
            (18, certificate(), a.SELF_SIGNED.about(issuer="Corp CA", setting="CA_BUNDLE")),
            (19, certificate(), a.UNKNOWN_AUTHORITY.about(issuer="Corp CA", setting="CA_BUNDLE")),
            (20, certificate(), a.UNKNOWN_AUTHORITY.about(issuer="Corp CA", setting="CA_BUNDLE")),
            (62, certificate(), a.OTHER_NAME.about(names="db.internal", host="host")),
            (64, certificate(names=("10.0.0.7",)), a.OTHER_NAME.about(names="10.0.0.7", host="host")),
            (92, certificate(), a.MALFORMED.about(problem="CA cert does not include key usage extension")),
            (23, certificate(), None),
        ):
            with self.subTest(code):
                self.assertEqual(advice_on(refused(code), shown, "host", "CA_BUNDLE", NOW), advice)


if __name__ == "__main__":
    unittest.main()
