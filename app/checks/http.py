"""An HTTP service is connected when it answers one GET with an accepted status."""

import http.client
import io
import re
import socket
from collections.abc import Container, Mapping
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from app.checks.check import Check, CheckConfig, CheckFailed
from app.net.connect import dial
from app.net.cutoff import Cutoff
from app.net.deadline import Deadline
from app.net.reason import Cause, Reason
from app.net.resolver import Resolver
from app.net.tls import expires_at

HEAD_BYTES = 64 * 1024
MOST_INTERIM = 16
BODY_BYTES = 64 * 1024
BODY_SECONDS = 0.1
STALLED = 0.9
SEARCH_AGAIN = 1.1
UNAUTHORIZED = frozenset({401, 403})
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HttpCheck(Check):
    """Sends `GET url` over one kept-alive connection.

    Userinfo in the URL becomes Basic authentication. `ca_bundle` is the path of a PEM file for https. Connected means
    that the status code is in `statuses`, and that `body_matches` is found in the first 64 KiB of the body, decoded as
    UTF-8. `headers` are sent along.
    """

    def __init__(
        self,
        name: str,
        url: str,
        ca_bundle: str,
        resolver: Resolver,
        *,
        statuses: Container[int] = (http.client.OK,),
        body_matches: re.Pattern[str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(name)
        self._url = url
        self._statuses = statuses
        self._body_matches = body_matches
        self._link = _Link(self, resolver)
        self._session = _session(self._link, ca_bundle, headers or {})

    def run(self, deadline: Deadline) -> None:
        """See Check. Without `body_matches`, the head of the answer decides."""
        response = self._get(deadline)
        status = response.status_code
        accepted = status in self._statuses
        try:
            if accepted and self._body_matches is not None:
                self._find(self._body_matches, response, deadline)
        finally:
            self._read_rest(response, deadline)
        if accepted:
            return
        detail = f"answered {status}"
        if status in UNAUTHORIZED:
            raise CheckFailed(Reason.AUTH, detail)
        if status in REDIRECTS:
            raise CheckFailed(Reason.REDIRECT, f"{detail}, a redirect")
        raise CheckFailed(Reason.HTTP_STATUS, detail)

    def _get(self, deadline: Deadline) -> requests.Response:
        self._link.deadline = deadline
        cutoff = self._link.cutoff
        before = cutoff.dials, cutoff.cuts
        try:
            return self._send()
        except requests.ConnectionError as error:
            # A peer may close an idle connection at any time, even as the next request is on its way.
            untouched = (cutoff.dials, cutoff.cuts) == before
            if not untouched or self.cause(error).reason is not Reason.CLOSED:
                raise
        return self._send()

    def _send(self) -> requests.Response:
        left = self._link.deadline.remaining()
        return self._session.get(self._url, timeout=left, stream=True, allow_redirects=False)

    def _find(self, pattern: re.Pattern[str], response: requests.Response, deadline: Deadline) -> None:
        """Return once `pattern` is found in what has arrived of the body, or raise."""
        # A body that stalls is searched once more before the deadline.
        self._link.deadline = deadline.within(deadline.remaining() * STALLED)
        body, searched, stalled = b"", 0, None
        while len(body) < BODY_BYTES:
            try:
                part = response.raw.read1(BODY_BYTES - len(body), decode_content=False)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                stalled = error
                break
            if not part:
                break
            body += part
            # Not after every byte of a body that drips: the work would grow with the square of its length.
            if len(body) >= searched * SEARCH_AGAIN:
                searched = len(body)
                if pattern.search(body.decode("utf-8", "replace")):
                    return
        if pattern.search(body.decode("utf-8", "replace")):
            return
        raise stalled or CheckFailed(Reason.CONTENT, "the body does not match")

    def _read_rest(self, response: requests.Response, deadline: Deadline) -> None:
        """Read a small, prompt body to its end so that the connection can be kept; otherwise drop the connection."""
        if not deadline.passed() and deadline.remaining() > BODY_SECONDS:
            self._link.deadline = deadline.within(BODY_SECONDS)
            try:
                body = response.raw.read(BODY_BYTES + 1, decode_content=False)
            except (urllib3.exceptions.HTTPError, OSError):
                body = None  # slow, or broken off: the head has decided already
            if body is not None and len(body) <= BODY_BYTES:
                response.raw.release_conn()
                return
        response.close()

    def cause_of(self, error: BaseException) -> Cause | None:
        """See Check."""
        if isinstance(error, requests.Timeout):
            return Cause(Reason.TIMEOUT, "no answer in time")
        cause = super().cause_of(error)
        if cause is None and isinstance(error, (http.client.HTTPException, urllib3.exceptions.InvalidHeader)):
            return Cause(Reason.PROTOCOL, "not an answer of HTTP")
        return cause

    def abort(self) -> None:
        """See Check."""
        self._link.cutoff.cut()

    def close(self) -> None:
        """See Check."""
        self._session.close()
        self._link.cutoff.release()


class _Link:
    """What the connection of a check is held to: by when it must have what it reads, and how to cut it off."""

    def __init__(self, check: Check, resolver: Resolver) -> None:
        self.check = check
        self.resolver = resolver
        self.cutoff = Cutoff()
        self.deadline = Deadline(0)


class _Session(requests.Session):
    """Follows nothing: even with allow_redirects=False, requests would read the whole body of a redirect."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def _session(link: _Link, ca_bundle: str, headers: Mapping[str, str]) -> requests.Session:
    session = _Session()
    session.trust_env = False  # no proxies, no .netrc, no authorities of the environment
    session.verify = ca_bundle  # urllib3 reads the file again for each new connection
    session.headers.update({"User-Agent": "server-health", "Accept-Encoding": "identity", **headers})
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

    def connect(self: Any) -> None:
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

    def __init__(self, raw: Any, sock: socket.socket, link: _Link) -> None:
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


def create(config: CheckConfig) -> Check:
    """The check of an `http` or `https` URL."""
    return HttpCheck(
        config.name,
        config.url,
        config.ca_bundle,
        config.resolver,
        statuses=config.statuses,
        body_matches=config.body_matches,
        headers=config.headers,
    )
