"""Ports of 127.0.0.1 that no other process gets while a test counts on them."""

import socket


def reserve_port():
    """A socket that holds a free port, and does not listen: while it is open, the kernel gives the port to no other
    listener without a port of its own and to no outgoing connection. Servers of the test get it, because they set
    SO_REUSEADDR; while none of them listens, who connects is refused.
    """
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    return sock


def free_port():
    """The number of a port that is reserved until this process ends."""
    reserved = reserve_port()
    port = reserved.getsockname()[1]
    reserved.detach()  # its descriptor stays open
    return port
