"""Where nobody is, known without a packet or a question that leaves this machine."""

NOBODY = ".".join(["nobody"] * 40)
"""A name that does not resolve: it is too long for a name server to be asked."""
NO_ROUTE = "127.255.255.255"
"""An address that cannot be reached: the kernel connects nobody to the loopback network's broadcast address."""
