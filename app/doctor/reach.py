"""The first two steps: names to addresses, and a connection to each address."""

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from app.net.connect import connect
from app.net.deadline import Deadline
from app.net.reason import cause_of
from app.net.resolver import Address, Resolver

Thing = TypeVar("Thing")
Found = TypeVar("Found")


class Server(NamedTuple):
    """A host, by name or address, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host and self.address is not None else self.host
        return f"{host}:{self.port}"

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The host, if it is an address and not a name."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    @property
    def is_loopback(self) -> bool:
        return self.host == "localhost" or (self.address is not None and self.address.is_loopback)


class Tried(NamedTuple):
    """How several attempts went: the addresses of each server that were reached, words for each attempt, and the errors
    of those that failed, by server.
    """

    reached: dict[Server, list[Address]]
    words: list[str]
    errors: dict[Server, Exception]

    @property
    def text(self) -> str:
        return "; ".join(self.words)


def on_each(
    things: Sequence[Thing], attempt: Callable[[Thing, Deadline], Found], deadline: Deadline
) -> Iterator[tuple[Thing, Found | Exception]]:
    """Each of `things`, and what `attempt` returned or raised for it. Each gets an equal share of the time left."""
    for position, thing in enumerate(things):
        try:
            yield thing, attempt(thing, deadline.share(len(things) - position))
        except Exception as error:
            yield thing, error


def resolve(servers: Sequence[Server], resolver: Resolver, deadline: Deadline) -> Tried:
    """The addresses of each server."""
    tried = Tried({}, [], {})

    def look_up(server: Server, share: Deadline) -> list[Address]:
        return resolver.resolve(server.host, server.port, share)

    for server, found in on_each(servers, look_up, deadline):
        if isinstance(found, Exception):
            tried.errors[server] = found
            tried.words.append(f"{server.host}: {words_for(found)}")
            continue
        tried.reached[server] = found
        digits = dict.fromkeys(str(address[4][0]) for address in found)
        is_name = server.address is None
        tried.words.append(f"{server.host} -> {', '.join(digits)}" if is_name else f"{server.host} is an address")
    return tried


def connect_each(found: Mapping[Server, Sequence[Address]], deadline: Deadline) -> Tried:
    """A connection to each address of each server, closed at once."""
    pairs = [(server, address) for server, addresses in found.items() for address in addresses]
    tried = Tried({}, [], {})
    for (server, address), sock in on_each(pairs, lambda pair, share: connect([pair[1]], share), deadline):
        shown = Server(*address[4][:2])
        if isinstance(sock, Exception):
            tried.errors.setdefault(server, sock)
            tried.words.append(f"{shown} {words_for(sock)}")
            continue
        sock.close()
        tried.reached.setdefault(server, []).append(address)
        tried.words.append(f"{shown} connected")
    return tried


def words_for(error: BaseException) -> str:
    """A few safe words for an error of a socket or of a look-up."""
    cause = cause_of(error)
    return cause.detail if cause is not None else type(error).__name__
