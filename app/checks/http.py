"""An HTTP service is connected when it answers one GET with an accepted status."""

import http.client
import io
import socket
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from app.checks.check import Check, CheckFailed
from app.net.connect import dial
from app.net.cutoff import Cutoff
from app.net.deadline import Deadline
from app.net.reason import Reason
from app.net.resolver import Resolver

HEAD_BYTES = 64 * 1024
MOST_INTERIM = 16
BODY_BYTES = 64 * 1024
BODY_SECONDS = 0.1
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HttpCheck(Check):
    """Sends `GET url` over one kept-alive connection.

    Userinfo in the URL becomes Basic authentication. `ca_bundle` is the path of a PEM file for https.
    """

    def __init__(self, name: str, url: str, ca_bundle: str, resolver: Resolver) -> None:
        super().__init__(name)
        self._url = url
        self._link = _Link(resolver)
        self._session = _session(self._link, ca_bundle)

    def run(self, deadline: Deadline) -> None:
        """See Check: the head of the answer decides."""
        response = self._get(deadline)
        self._read_body(response, deadline)
        if response.status_code in REDIRECTS:
            raise CheckFailed(Reason.REDIRECT, f"answered {response.status_code}, a redirect")
        if response.status_code != http.client.OK:
            raise CheckFailed(Reason.HTTP_STATUS, f"answered {response.status_code}")

    def _get(self, deadline: Deadline) -> requests.Response:
        self._link.deadline = deadline
        cutoff = self._link.cutoff
        before = cutoff.dials, cutoff.cuts
        try:
            return self._send()
        except requests.ConnectionError as error:
            # A peer may close an idle connection at any time, even as the next request is on its way.
            untouched = (cutoff.dials, cutoff.cuts) == before
            if not untouched or self.reason(error) is not Reason.CLOSED:
                raise
        return self._send()

    def _send(self) -> requests.Response:
        left = self._link.deadline.remaining()
        return self._session.get(self._url, timeout=left, stream=True, allow_redirects=False)

    def _read_body(self, response: requests.Response, deadline: Deadline) -> None:
        """Read a small, prompt body so that the connection can be kept; otherwise drop the connection."""
        if deadline.remaining() > BODY_SECONDS:
            self._link.deadline = deadline.within(BODY_SECONDS)
            try:
                body = response.raw.read(BODY_BYTES + 1, decode_content=False)
            except (urllib3.exceptions.HTTPError, OSError):
                body = None  # slow, or broken off: the head has decided already
            if body is not None and len(body) <= BODY_BYTES:
                response.raw.release_conn()
                return
        response.close()

    def reason_of(self, cause: BaseException) -> Reason | None:
        """See Check."""
        if isinstance(cause, requests.Timeout):
            return Reason.TIMEOUT
        reason = super().reason_of(cause)
        if reason is None and isinstance(cause, (http.client.HTTPException, urllib3.exceptions.InvalidHeader)):
            return Reason.PROTOCOL
        return reason

    def abort(self) -> None:
        """See Check."""
        self._link.cutoff.cut()

    def close(self) -> None:
        """See Check."""
        self._session.close()
        self._link.cutoff.release()


class _Link:
    """What the connection of a check is held to: by when it must have what it reads, and how to cut it off."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.cutoff = Cutoff()
        self.deadline = Deadline(0)


class _Session(requests.Session):
    """Follows nothing: even with allow_redirects=False, requests would read the whole body of a redirect."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def _session(link: _Link, ca_bundle: str) -> requests.Session:
    session = _Session()
    session.trust_env = False  # no proxies, no .netrc, no authorities of the environment
    session.verify = ca_bundle  # urllib3 reads the file again for each new connection
    session.headers.update({"User-Agent": "server-health", "Accept-Encoding": "identity"})
    adapter = _Adapter(link)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


class _Adapter(HTTPAdapter):
    """One connection at a time, held to its link."""

    def __init__(self, link: _Link) -> None:
        self._link = link
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool_class(urllib3.HTTPConnectionPool, HTTPConnection, self._link),
            "https": _pool_class(urllib3.HTTPSConnectionPool, HTTPSConnection, self._link),
        }


def _pool_class(pool: Any, connection: Any, link: _Link) -> Any:
    """`pool`, of connections that are dialled, read and cut off through `link`."""

    def new_connection(self: Any) -> socket.socket:
        sock = dial(self._dns_host, self.port, link.deadline, link.resolver)
        link.cutoff.hold(sock)
        return sock

    def response(sock: Any, *args: Any, **kwargs: Any) -> "_Response":
        return _Response(link, sock, *args, **kwargs)

    def close(self: Any) -> None:
        connection.close(self)
        link.cutoff.release()  # its duplicate would keep the connection open

    members = {"_new_conn": new_connection, "close": close, "response_class": staticmethod(response)}
    linked = type(f"Linked{connection.__name__}", (connection,), members)
    return type(f"Linked{pool.__name__}", (pool,), {"ConnectionCls": linked})


class _Incoming(io.RawIOBase):
    """The bytes of a socket, by the deadline of its link: a socket's own timeout starts anew with every byte."""

    def __init__(self, raw: Any, sock: socket.socket, link: _Link) -> None:
        self._raw = raw
        self._sock = sock
        self._link = link

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._link.deadline.remaining())
        count: int | None = self._raw.readinto(buffer)
        return count

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

    def __init__(self, link: _Link, sock: Any, *args: Any, **kwargs: Any) -> None:
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
