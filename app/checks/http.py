"""An HTTP service is connected when it answers one GET with an accepted status."""

import http.client
import re
import ssl
from collections.abc import Container, Mapping
from urllib.parse import unquote_to_bytes, urlsplit

import requests
import urllib3

from app.checks.check import Check, CheckConfig, CheckFailed
from app.checks.http_session import Link, session
from app.net.deadline import Deadline
from app.net.reason import Cause, Reason
from app.net.resolver import Resolver
from app.net.tls import refused_at

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
        self._link = Link(self, resolver, ca_bundle)
        self._session = session(self._link, headers or {})
        parts = urlsplit(url)
        if parts.password is not None:
            # As bytes: requests would encode what is in the URL as Latin-1. RFC 7617 leaves it open; servers expect UTF-8.
            user, password = (unquote_to_bytes(each or "") for each in (parts.username, parts.password))
            self._session.auth = (user, password)  # type: ignore[assignment]

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

    def status(self, deadline: Deadline) -> tuple[str, int]:
        """The version and the status code of one answer, accepted or not. Raises as `run` does."""
        response = self._get(deadline)
        self._read_rest(response, deadline)
        return f"HTTP/{response.raw.version / 10}", response.status_code

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
        if isinstance(error, urllib3.exceptions.SSLError) and isinstance(error.args[0], ssl.SSLError):
            error = error.args[0]  # the only place where urllib3 keeps an alert of the peer
        cause = super().cause_of(error)
        if cause is None and isinstance(error, (http.client.HTTPException, urllib3.exceptions.InvalidHeader)):
            return Cause(Reason.PROTOCOL, "not an answer of HTTP")
        return cause

    def refuses_us(self, deadline: Deadline) -> bool:
        """See Check."""
        url = urlsplit(self._url)
        link = self._link
        secure = url.scheme == "https"
        return secure and refused_at(url.hostname or "", url.port or 443, deadline, link.resolver, cutoff=link.cutoff)

    def abort(self) -> None:
        """See Check."""
        self._link.cutoff.cut()

    def close(self) -> None:
        """See Check."""
        self._session.close()
        self._link.cutoff.release()


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
