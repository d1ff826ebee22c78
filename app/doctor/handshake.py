"""The step `tls`: a handshake, and what the peer shows in it, trusted or not."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from socket import socket

from app.doctor import advice as a
from app.doctor.certificates import Certificate, advice_on, described
from app.doctor.examination import StepFailed
from app.net.connect import wrap
from app.net.deadline import Deadline
from app.net.reason import Cause, Reason, cause_of
from app.net.tls import shown_certificate, unverified_context

SECOND_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Handshake:
    """One with `host`. `context` makes a TLS context, `connected` a connection by a deadline; both raise OSError.

    `ca_setting` is where trusted authorities are set; `now` is in Unix seconds.
    """

    context: Callable[[], ssl.SSLContext]
    connected: Callable[[Deadline], socket]
    host: str
    ca_setting: str
    now: float

    def found(self, deadline: Deadline) -> str:
        """The version of TLS, and the certificate. Raises StepFailed, OSError."""
        try:
            context = self.context()
        except OSError as error:
            text = "a certificate file cannot be read"
            raise StepFailed(text, a.UNREADABLE.about(setting=self.ca_setting)) from error
        try:
            with wrap(self.connected(deadline), context, self.host, deadline) as sock:
                version, certificate = sock.version(), sock.getpeercert()
        except ssl.SSLCertVerificationError as error:
            raise self._distrusted(error, deadline) from error
        if certificate:
            return f"{version}, {described(certificate, self.now)}"
        shown = self._shown(deadline)
        return f"{version}, not verified, as the URL asks{', ' + described(shown, self.now) if shown else ''}"

    def _shown(self, deadline: Deadline) -> Certificate | None:
        """The certificate, without trust in it; None if it cannot be read."""
        try:
            return shown_certificate(self.context(), lambda: self.connected(deadline), self.host, deadline)
        except OSError:
            return None

    def _distrusted(self, error: ssl.SSLCertVerificationError, deadline: Deadline) -> StepFailed:
        cause = cause_of(error) or Cause(Reason.TLS, "certificate refused")
        shown = self._shown(deadline)
        if not shown:
            return StepFailed(cause.detail, a.general(cause))
        advice = advice_on(error, shown, self.host, self.ca_setting, self.now)
        return StepFailed(f"{cause.detail}: {described(shown, self.now)}", advice or a.general(cause))


def speaks_tls(connected: Callable[[Deadline], socket], host: str, deadline: Deadline) -> bool:
    """Whether a peer that was not understood completes a TLS handshake."""
    try:
        deadline = deadline.within(SECOND_LOOK_SECONDS)
        wrap(connected(deadline), unverified_context(), host, deadline).close()
    except OSError:
        return False
    return True
