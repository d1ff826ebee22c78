"""A session of requests that keeps one connection, reads it by a deadline, and can be cut off from outside."""

import http.client
import io
import socket
from collections.abc import Mapping
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from app.checks.check import Check
from app.net.connect import dial
from app.net.cutoff import Cutoff
from app.net.deadline import Deadline
from app.net.resolver import Resolver
from app.net.tls import client_context, expires_at

HEAD_BYTES = 64 * 1024
MOST_INTERIM = 16


class Link:
    """What the connection of a check is held to: by when it must have what it reads, and how to cut it off.

    `ca_bundle` is the path of a PEM file for https.
    """

    def __init__(self, check: Check, resolver: Resolver, ca_bundle: str) -> None:
        self.check = check
        self.resolver = resolver
        self.ca_bundle = ca_bundle
        self.cutoff = Cutoff()
        self.deadline = Deadline(0)


class _Session(requests.Session):
    """Follows nothing: even with allow_redirects=False, requests would read the whole body of a redirect."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def session(link: Link, headers: Mapping[str, str]) -> requests.Session:
    """A session whose connection is held to `link`; `headers` are sent along."""
    made = _Session()
    made.trust_env = False  # no proxies, no .netrc, no authorities of the environment
    made.headers.update({"User-Agent": "server-health", "Accept-Encoding": "identity", **headers})
    adapter = _Adapter(link)
    made.mount("http://", adapter)
    made.mount("https://", adapter)
    return made


class _Adapter(HTTPAdapter):
    """One connection at a time, held to its link."""

    def __init__(self, link: Link) -> None:
        self._link = link
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def cert_verify(self, *args: Any) -> None:
        """Name no authorities: a connection has those of its link, and one that is kept does not need their file."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool_class(urllib3.HTTPConnectionPool, HTTPConnection, self._link),
            "https": _pool_class(urllib3.HTTPSConnectionPool, HTTPSConnection, self._link),
        }


def _pool_class(pool: Any, connection: Any, link: Link) -> Any:
    """`pool`, of connections that are dialled, read and cut off through `link`."""

    def new_connection(self: Any) -> socket.socket:
        sock = dial(self._dns_host, self.port, link.deadline, link.resolver)
        link.cutoff.hold(sock)
        return sock

    def response(sock: Any, *args: Any, **kwargs: Any) -> "_Response":
        return _Response(link, sock, *args, **kwargs)

    def connect(self: Any) -> None:
        if connection is HTTPSConnection:
            self.ssl_context = client_context(link.ca_bundle)
        connection.connect(self)
        link.check.certificate_expires_at = expires_at(self.sock)

    def close(self: Any) -> None:
        connection.close(self)
        link.cutoff.release()  # its duplicate would keep the connection open

    members = {
        "_new_conn": new_connection,
        "connect": connect,
        "close": close,
        "response_class": staticmethod(response),
    }
    linked = type(f"Linked{connection.__name__}", (connection,), members)
    return type(f"Linked{pool.__name__}", (pool,), {"ConnectionCls": linked})


class _Incoming(io.RawIOBase):
    """The bytes of a socket, by the deadline of its link: a socket's own timeout starts anew with every byte."""

    def __init__(self, raw: Any, sock: socket.socket, link: Link) -> None:
        self._raw = raw
        self._sock = sock
        self._link = link

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._link.deadline.remaining())
        return self._sock.recv_into(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Lines:
    """The lines of a head, bounded; distinguishes a peer that never answered from one that broke off."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._size = 0
        self.last = b""

    def readline(self, limit: int = -1) -> bytes:
        begun = self._size > 0 or bool(self._stream.peek(1))
        try:
            self.last = self._stream.readline(limit)
        except ConnectionError as error:
            if begun:
                raise http.client.HTTPException("the answer broke off") from error
            raise
        self._size += len(self.last)
        if self._size > HEAD_BYTES:
            raise http.client.HTTPException(f"the head is larger than {HEAD_BYTES} bytes")
        return self.last

    def close(self) -> None:
        self._stream.close()


class _Response(http.client.HTTPResponse):
    """A response whose head is bounded and complete: the standard library accepts one that is cut short."""

    def __init__(self, link: Link, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        stream: Any = self.fp
        self.fp = io.BufferedReader(_Incoming(stream.detach(), sock, link))

    def begin(self) -> None:
        stream = self.fp
        lines: Any = _Lines(stream)
        self.fp = lines
        try:
            super().begin()
        finally:
            if self.fp is lines:
                self.fp = stream
        if lines.last == b"":
            raise http.client.HTTPException("the head broke off")
        # requests would parse every cookie before its policy refused it (measured: 2.4 GB for 6 MB of them).
        for name in ("Set-Cookie", "Set-Cookie2"):
            del self.msg[name]

    def _read_status(self) -> tuple[str, int, str]:
        """The status line, with the informational responses before it skipped (RFC 9110, 15.2)."""
        for _ in range(MOST_INTERIM + 1):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200 or status == http.client.SWITCHING_PROTOCOLS:
                return version, status, reason
            while self.fp.readline().strip():
                pass
        raise http.client.HTTPException(f"more than {MOST_INTERIM} informational responses")
