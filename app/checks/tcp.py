"""A TCP server is connected when it accepts a connection."""

from urllib.parse import urlsplit

from app.checks.check import Check, CheckConfig
from app.net.connect import dial
from app.net.deadline import Deadline
from app.net.resolver import Resolver


class TcpCheck(Check):
    """Connects to `host` and `port`, and closes."""

    def __init__(self, name: str, host: str, port: int, resolver: Resolver) -> None:
        super().__init__(name)
        self._host = host
        self._port = port
        self._resolver = resolver

    def run(self, deadline: Deadline) -> None:
        """See Check."""
        dial(self._host, self._port, deadline, self._resolver).close()


def create(config: CheckConfig) -> Check:
    """The check of a `tcp` URL, which has a port."""
    url = urlsplit(config.url)
    return TcpCheck(config.name, url.hostname or "", url.port or 0, config.resolver)
