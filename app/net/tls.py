"""TLS settings for the connections that we open, and the certificate of a peer."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from app.net.connect import dial, wrap
from app.net.cutoff import Cutoff
from app.net.deadline import Deadline
from app.net.reason import CERTIFICATE_REFUSED, NO_AUTHORITIES, NO_DESCRIPTOR, Cause, FileUnreadable, cause_of
from app.net.resolver import Resolver

# A second look at a peer: until the connection is made, and then for the alert, which takes about a round trip.
LOOK_SECONDS = 1.0
ALERT_SECONDS = 0.25
NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python does not name


def client_context(ca_bundle: str) -> ssl.SSLContext:
    """A context that trusts the authorities in the PEM file `ca_bundle`.

    Made anew for each connection, so that a file that is replaced on disk takes effect without a restart. Raises
    FileUnreadable, and OSError if no descriptor is left.
    """
    with reading(NO_AUTHORITIES):
        context = ssl.create_default_context(cafile=ca_bundle)
    context.hostname_checks_common_name = False  # RFC 9525: a name counts as a subjectAltName alone
    context.post_handshake_auth = True  # as urllib3 has it
    return context


@contextmanager
def reading(cause: Cause) -> Iterator[None]:
    """Around what reads files of certificates: raises FileUnreadable with `cause` if one cannot be read."""
    try:
        yield
    except OSError as error:
        if isinstance(error, TimeoutError) or cause_of(error) == NO_DESCRIPTOR:
            raise
        raise FileUnreadable(cause) from error


def unverified_context() -> ssl.SSLContext:
    """A context for a look at a peer to which nothing is sent: it trusts anything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def refuses_us(opened: Callable[[Deadline], socket.socket], deadline: Deadline, patience: float) -> bool:
    """Whether a TLS server refuses our certificate, or its absence, within `patience` seconds of the handshake.

    It takes half of the time left at most, so that what is known already is reported in time. `opened` returns a
    connection after its handshake. In TLS 1.3 the server decides after our side of the handshake. A client that is
    sending by then fails, as often as not, before it has read the alert (measured: 29 of 50 times). So this only listens.
    """
    try:
        deadline = deadline.within(min(LOOK_SECONDS, deadline.remaining() / 2))
        with opened(deadline) as sock:
            sock.settimeout(min(patience, deadline.remaining()))
            sock.recv(1)
    except (OSError, RuntimeError) as error:  # RuntimeError: no thread to look the name up
        return cause_of(error) == CERTIFICATE_REFUSED
    return False


def refused_at(
    host: str,
    port: int,
    deadline: Deadline,
    resolver: Resolver,
    *,
    context: Callable[[], ssl.SSLContext] = unverified_context,
    cutoff: Cutoff | None = None,
) -> bool:
    """Take a second look at a TLS server that has closed a connection: does it refuse us (see refuses_us)?

    `cutoff` holds the second connection; False if it has cut the first one.
    """
    cutoff = cutoff or Cutoff()

    def opened(deadline: Deadline) -> ssl.SSLSocket:
        made = context()
        sock = dial(host, port, deadline, resolver)
        cutoff.hold(sock)
        return wrap(sock, made, host, deadline)

    try:
        return not cutoff.was_cut and refuses_us(opened, deadline, ALERT_SECONDS)
    finally:
        cutoff.release()


def shown_certificate(
    context: ssl.SSLContext, connected: Callable[[], socket.socket], host: str, deadline: Deadline
) -> dict[str, Any]:
    """The certificate that a server shows, trusted or not, decoded as `SSLSocket.getpeercert` does. Sends nothing.

    The standard library decodes a certificate only if it could verify it. So a first handshake, which verifies nothing,
    reads its bytes, and a second one trusts exactly these bytes, whatever their dates. `context` is changed for that;
    `connected` returns a new connection each time. Raises OSError.
    """
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with wrap(connected(), context, host, deadline) as sock:
        shown = sock.getpeercert(binary_form=True)
    if shown is None:  # a cipher without certificates
        return {}
    context.load_verify_locations(cadata=shown)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags = ssl.VerifyFlags(ssl.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME)
    with wrap(connected(), context, host, deadline) as sock:
        return sock.getpeercert() or {}


def expires_at(sock: object) -> int | None:
    """When the certificate of the peer of `sock` expires, in Unix milliseconds; None if it showed none."""
    certificate = sock.getpeercert() if isinstance(sock, ssl.SSLSocket) else None
    if not certificate:
        return None
    return int(ssl.cert_time_to_seconds(str(certificate["notAfter"])) * 1000)
