"""TCP connections, and TLS on them, within one deadline."""

import socket
import ssl
from collections.abc import Iterable

from app.net.deadline import Deadline
from app.net.reason import MOST_TELLING, Reason, cause_of
from app.net.resolver import Address, Resolver


def dial(host: str, port: int, deadline: Deadline, resolver: Resolver) -> socket.socket:
    """Resolve `host` and connect to the first of its addresses that accepts.

    Raises OSError, TimeoutError among them, and what Resolver.resolve raises.
    """
    return connect(resolver.resolve(host, port, deadline), deadline)


def connect(addresses: Iterable[Address], deadline: Deadline) -> socket.socket:
    """A connection to the first of `addresses` that accepts one; its timeout is what was left of the deadline.

    Each address gets an equal share of the time left, so that one that swallows packets leaves time for the others
    (`socket.create_connection` gives every address the whole time). Raises the most telling of their OSErrors: a machine
    without IPv6 fails on an IPv6 address whatever is wrong with the peer.
    """
    addresses = list(addresses)
    failures: list[OSError] = []
    for position, address in enumerate(addresses):
        try:
            return _connect_to(address, deadline.share(len(addresses) - position), deadline)
        except OSError as error:
            failures.append(error)
    raise min(failures, key=_rank, default=OSError("no address"))


def _connect_to(address: Address, share: Deadline, deadline: Deadline) -> socket.socket:
    family, kind, protocol, _, where = address
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(share.remaining())
        sock.connect(where)
        sock.settimeout(deadline.remaining())
    except BaseException:
        sock.close()
        raise
    return sock


def _rank(failure: OSError) -> int:
    cause = cause_of(failure)
    return MOST_TELLING.index(cause.reason if cause else Reason.ERROR)


def wrap(sock: socket.socket, context: ssl.SSLContext, host: str, deadline: Deadline) -> ssl.SSLSocket:
    """TLS on a connected `sock`, which is closed if that fails. Raises OSError.

    The handshake as a whole is held to the socket's timeout, however slowly the peer answers (CPython, Modules/_ssl.c).
    """
    try:
        sock.settimeout(deadline.remaining())
        return context.wrap_socket(sock, server_hostname=host)
    except BaseException:
        sock.close()
        raise
