"""A peer's certificate in words, and why it is not trusted."""

import ssl
from collections.abc import Mapping
from typing import Any

from app.doctor.advice import (
    EXPIRED,
    ISSUER_EXPIRED,
    MALFORMED,
    NOT_YET_VALID,
    OTHER_NAME,
    SELF_SIGNED,
    UNKNOWN_AUTHORITY,
    Advice,
)

MOST_NAMES = 5
HOUR, DAY = 3600, 86400
# Numbers of OpenSSL's verification (X509_V_ERR_…), as in app/net/reason.py.
DATES_EARLY, DATES_LATE, SELF = 9, 10, 18
NOT_RFC_5280 = range(80, 95)
NO_AUTHORITY = frozenset({19, 20, 21})
NAMES = frozenset({62, 64})

Certificate = Mapping[str, Any]
"""As `ssl.SSLSocket.getpeercert` returns it."""


def described(certificate: Certificate, now: float) -> str:
    """Issuer, names and how long it is still valid; `now` in Unix seconds."""
    return f"issued by {issuer(certificate)} for {names(certificate)}, {_validity(certificate, now)}"


def advice_on(
    error: ssl.SSLCertVerificationError, certificate: Certificate, host: str, setting: str, now: float
) -> Advice | None:
    """What a failed verification means; `setting` is where authorities are set. None if no sentence fits."""
    code = error.verify_code
    if code == DATES_LATE:
        late = now - _seconds(certificate, "notAfter")
        return EXPIRED.about(time=span(late)) if late > 0 else ISSUER_EXPIRED.about(setting=setting)
    if code == DATES_EARLY:
        return NOT_YET_VALID.about(time=span(_seconds(certificate, "notBefore") - now))
    if code == SELF:
        return SELF_SIGNED.about(issuer=issuer(certificate), setting=setting)
    if code in NO_AUTHORITY:
        return UNKNOWN_AUTHORITY.about(issuer=issuer(certificate), setting=setting)
    if code in NAMES:
        return OTHER_NAME.about(names=names(certificate), host=host)
    if code in NOT_RFC_5280:
        return MALFORMED.about(problem=error.verify_message)
    return None


def issuer(certificate: Certificate) -> str:
    return _name(certificate.get("issuer", ()))


def names(certificate: Certificate) -> str:
    """The names that it is for, MOST_NAMES at most."""
    found = [str(value) for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    if not found:
        return _name(certificate.get("subject", ()))
    more = len(found) - MOST_NAMES
    return ", ".join(found[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def span(seconds: float) -> str:
    """A time in whole days or, below two days, in whole hours."""
    size, unit = (DAY, "days") if seconds >= 2 * DAY else (HOUR, "hours")
    count = int(abs(seconds) / size)
    return f"{count} {unit[:-1] if count == 1 else unit}"


def _name(parts: Any) -> str:
    """The common name of an X.501 name, otherwise its organization."""
    fields = {key: value for part in parts for key, value in part}
    return str(fields.get("commonName") or fields.get("organizationName") or "a nameless issuer")


def _validity(certificate: Certificate, now: float) -> str:
    try:
        early, left = _seconds(certificate, "notBefore") - now, _seconds(certificate, "notAfter") - now
    except ValueError:
        return "with dates that cannot be read"
    if early > 0:
        return f"not valid for another {span(early)}"
    return f"valid for {span(left)}" if left > 0 else f"expired {span(-left)} ago"


def _seconds(certificate: Certificate, field: str) -> float:
    return float(ssl.cert_time_to_seconds(str(certificate[field])))
