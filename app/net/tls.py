"""TLS settings for the connections that we open, and when the certificate of a peer expires."""

import ssl


def client_context(ca_bundle: str) -> ssl.SSLContext:
    """A context that trusts the authorities in the PEM file `ca_bundle`.

    Made anew for each connection, so that a file that is replaced on disk takes effect without a restart. Raises
    OSError if the file cannot be read.
    """
    return ssl.create_default_context(cafile=ca_bundle)


def expires_at(sock: object) -> int | None:
    """When the certificate of the peer of `sock` expires, in Unix milliseconds; None if it showed none."""
    certificate = sock.getpeercert() if isinstance(sock, ssl.SSLSocket) else None
    if not certificate:
        return None
    return int(ssl.cert_time_to_seconds(str(certificate["notAfter"])) * 1000)
