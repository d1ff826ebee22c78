"""TLS settings for the connections that we open."""

import ssl


def client_context(ca_bundle: str) -> ssl.SSLContext:
    """A context that trusts the authorities in the PEM file `ca_bundle`.

    Made anew for each connection, so that a file that is replaced on disk takes effect without a restart. Raises
    OSError if the file cannot be read.
    """
    return ssl.create_default_context(cafile=ca_bundle)
