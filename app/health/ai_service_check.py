"""Is the AI service there? `GET {AI_SERVICE_URL}/health`, and the status decides."""

import http.client
import threading
import time
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from app.health.checks import Check, CheckFailed, Reason
from app.health.tether import Tether, connect

BODY_BYTES = 64 * 1024
BODY_SECONDS = 0.1
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class AiServiceCheck(Check):
    """Checks an HTTP service over one kept-alive connection.

    `url` is the base, `/health` is added; userinfo in it becomes Basic authentication. `ca_bundle` is the
    path of a PEM file for https, None for certifi's.
    """

    def __init__(
        self, url: str, timeout: float = 5.0, ca_bundle: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__("ai_service", timeout, clock)
        self._url = url.rstrip("/") + "/health"
        self._tether = Tether()
        self._session = _session(self._tether, ca_bundle)
        self._response: requests.Response | None = None

    def _ask(self, deadline: float) -> None:
        before = self._tether.dials, self._tether.cuts
        try:
            response = self._get(deadline)
        except requests.ConnectionError as error:
            # A peer may close an idle connection at any time, also just as the next request is on its way.
            untouched = (self._tether.dials, self._tether.cuts) == before
            if not untouched or self._reason(error) is not Reason.CLOSED:
                raise
            response = None
        if response is None:
            response = self._get(deadline)
        self._response = response
        if response.status_code in REDIRECTS:
            raise CheckFailed(Reason.REDIRECT, f"answered {response.status_code}, a redirect")
        if response.status_code != http.client.OK:
            raise CheckFailed(Reason.HTTP_STATUS, f"answered {response.status_code}")

    def _get(self, deadline: float) -> requests.Response:
        return self._session.get(self._url, timeout=self._left(deadline), stream=True, allow_redirects=False)

    def _tidy(self, deadline: float) -> None:
        """Read a small, prompt body, so that the connection can be kept; else drop the connection."""
        response, self._response = self._response, None
        if response is None:
            return
        if deadline - self._clock() > BODY_SECONDS:
            # Only a cut from outside bounds the whole read: a socket's timeout starts anew with every byte.
            late = threading.Timer(BODY_SECONDS, self._tether.cut)
            late.name, late.daemon = f"{self.name}-body", True
            late.start()
            try:
                body = response.raw.read(BODY_BYTES + 1, decode_content=False)
            except (urllib3.exceptions.HTTPError, OSError):
                body = None  # cut, or broken off: the head has decided already
            finally:
                late.cancel()
                late.join()
            if body is not None and len(body) <= BODY_BYTES:
                response.raw.release_conn()
                return
        response.close()

    def abort(self) -> None:
        """See Check. A byte now and then keeps every timeout from running out; a cut socket does not drip."""
        self._tether.cut()

    def close(self) -> None:
        self._session.close()
        self._tether.release()

    def _reason_of_cause(self, cause: BaseException) -> Reason | None:
        if isinstance(cause, requests.Timeout):
            return Reason.TIMEOUT
        reason = super()._reason_of_cause(cause)
        if reason is None and isinstance(cause, (http.client.HTTPException, urllib3.exceptions.InvalidHeader)):
            return Reason.PROTOCOL
        return reason


class _Session(requests.Session):
    """Follows nothing: also with allow_redirects=False, requests would read the whole body of a redirect."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def _session(tether: Tether, ca_bundle: str | None) -> requests.Session:
    session = _Session()
    session.trust_env = False  # no proxies, no .netrc, no CA of the environment
    session.verify = ca_bundle or True
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.headers.update({"User-Agent": "server-health", "Accept-Encoding": "identity"})
    adapter = _TetheredAdapter(tether)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


class _TetheredAdapter(HTTPAdapter):
    """One connection at a time, its socket on a tether."""

    def __init__(self, tether: Tether) -> None:
        self._tether = tether
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool_class(urllib3.HTTPConnectionPool, HTTPConnection, self._tether),
            "https": _pool_class(urllib3.HTTPSConnectionPool, HTTPSConnection, self._tether),
        }


class _Lines:
    """Reads the lines of a head, and tells a peer that never answered from one that broke off."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._begun = False
        self.last = b""

    def readline(self, limit: int = -1) -> bytes:
        self._begun = self._begun or bool(self._stream.peek(1))
        try:
            self.last = self._stream.readline(limit)
        except ConnectionError as error:
            if self._begun:
                raise http.client.HTTPException("the answer broke off") from error
            raise
        return self.last

    def close(self) -> None:
        self._stream.close()


class _WholeHead(http.client.HTTPResponse):
    """A response whose head has come to its end: the standard library takes a cut one for whole."""

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


def _pool_class(pool: Any, connection: Any, tether: Tether) -> Any:
    """`pool`, of connections whose sockets are on the tether from the moment they are connected."""

    def dial(self: Any) -> Any:
        sock = connect(self._dns_host, self.port, self.timeout)
        tether.hold(sock)
        return sock

    members = {"_new_conn": dial, "response_class": _WholeHead}
    tethered = type(f"Tethered{connection.__name__}", (connection,), members)
    return type(f"Tethered{pool.__name__}", (pool,), {"ConnectionCls": tethered})
