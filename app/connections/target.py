"""Where a ws or wss URL leads."""

import base64
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

PORTS = {"ws": 80, "wss": 443}
SAFE = "/%:@!$&'()*+,;=~"  # in a path (RFC 3986, 3.3); what is escaped already stays as it is


@dataclass(frozen=True)
class Target:
    """Host and port to dial, and what to ask for there. Credentials and query are in no repr."""

    scheme: str
    host: str
    port: int
    request_target: str = field(repr=False)
    headers: list[tuple[bytes, bytes]] = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> "Target":
        """Userinfo becomes Basic authorization. Raises ValueError that never quotes `url`."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("not a URL") from None
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("not a ws:// or wss:// URL with a host")
        request_target = quote(parts.path or "/", safe=SAFE)
        if parts.query:
            request_target += "?" + quote(parts.query, safe=SAFE + "?")
        headers = []
        if parts.username is not None:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers.append((b"Authorization", b"Basic " + base64.b64encode(credentials.encode())))
        return cls(parts.scheme, parts.hostname, port or PORTS[parts.scheme], request_target, headers)

    @property
    def secure(self) -> bool:
        return self.scheme == "wss"

    @property
    def host_header(self) -> str:
        """With the port unless it is the scheme's own; an IPv6 address in brackets (RFC 9110)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"
