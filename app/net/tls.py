"""TLS settings for the connections that we open, and the certificate of a peer."""

import socket
import ssl
from collections.abc import Callable
from typing import Any

from app.net.connect import wrap
from app.net.deadline import Deadline

NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python does not name


def client_context(ca_bundle: str) -> ssl.SSLContext:
    """A context that trusts the authorities in the PEM file `ca_bundle`.

    Made anew for each connection, so that a file that is replaced on disk takes effect without a restart. Raises
    OSError if the file cannot be read.
    """
    return ssl.create_default_context(cafile=ca_bundle)


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
