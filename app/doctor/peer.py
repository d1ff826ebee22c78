"""A dependency or an upstream, as its URL and its settings describe it."""

import re
import socket
import ssl
from collections.abc import Sequence
from typing import Generic, TypeVar
from urllib.parse import SplitResult, urlsplit

from app.checks.check import Check, CheckConfig
from app.checks.kinds import KINDS
from app.doctor.judgement import Words
from app.doctor.reach import Server
from app.net.deadline import Deadline
from app.net.tls import client_context

AnyCheck = TypeVar("AnyCheck", bound=Check)


class Peer(Generic[AnyCheck]):
    """Its servers, its credentials, its TLS, and what its settings are called. A kind overrides what differs.

    `port` is the default one of the URL.
    """

    words = Words("the protocol of the URL", "the scheme without TLS", "the scheme with TLS")

    def __init__(self, kind: str, config: CheckConfig, check: AnyCheck, port: int) -> None:
        self.name = config.name
        self.kind = kind
        self.config = config
        self.check = check
        self.scheme = config.url.partition("://")[0].lower()
        self._port = port

    @property
    def url(self) -> SplitResult:
        """The URL of a kind that names a single host in it."""
        return urlsplit(self.config.url)

    @property
    def has_credentials(self) -> bool:
        return "@" in re.split("[/?#]", self.config.url.partition("://")[2], maxsplit=1)[0]

    def servers(self, deadline: Deadline) -> Sequence[Server]:
        """The servers that the URL names; none if they are Unix sockets, which have neither name nor address."""
        return [Server(self.url.hostname or "", self.url.port or self._port)]

    def asks_tls(self) -> bool:
        """Whether the URL asks for TLS: its scheme is that of another one and an s, as in https."""
        return self.scheme.endswith("s") and self.scheme[:-1] in KINDS

    def context(self) -> ssl.SSLContext:
        """A new TLS context that verifies as the check does. Raises OSError if a file cannot be read."""
        return client_context(self.config.ca_bundle)

    def before_tls(self, sock: socket.socket, deadline: Deadline) -> None:
        """What the protocol exchanges before TLS begins. Raises StepFailed, OSError."""

    @property
    def ca_setting(self) -> str:
        """Where trusted authorities are set."""
        return "`CA_BUNDLE`"

    @property
    def timeout_setting(self) -> str:
        return f"`DEPENDENCY__{self.name.upper()}__TIMEOUT_SECONDS`"
