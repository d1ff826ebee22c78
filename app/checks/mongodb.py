"""MongoDB is connected when its primary answers a `ping`, through one long-lived client."""

import re
from collections.abc import Callable

from pymongo.errors import AutoReconnect

from app.checks.check import Check, CheckConfig, CheckFailed
from app.checks.mongodb_client import GuardedClient
from app.checks.mongodb_reason import certificate_refused, driver_cause
from app.net.clock import clock as default_clock
from app.net.deadline import Deadline
from app.net.reason import CERTIFICATE_REFUSED, MOST_TELLING, NO_AUTHORITIES, NO_CERTIFICATE_FILE, Cause, Reason
from app.net.resolver import Resolver
from app.net.tls import reading

# The driver looks at its clock every 0.5 s while it waits for a server, and asks a server anew no more often:
# what it knows of one may be that old, and after the loss of a connection it asks twice.
SELECTION_SECONDS = 0.4
AFTER_LOSS_SECONDS = 0.9
OTHER_FILES = re.compile("[?&;]tlsC(ertificateKey|RL)File=", re.IGNORECASE)
"""The options that name files beside the authorities. An error of the driver does not tell which it was."""
LIFETIME_SECONDS = 10.0
"""How long a client may fail: it remembers elections, host names and errors that may no longer hold."""


class MongoDbCheck(Check):
    """Pings the primary, or a server of the `readPreference` in `uri`; with `directConnection=true`, the named server.

    The client is made inside the first check that can make it (its threads do not survive a fork), kept, and made
    anew from `uri` when it has failed for LIFETIME_SECONDS, or with TLS.
    """

    def __init__(
        self,
        name: str,
        uri: str,
        timeout: float,
        resolver: Resolver,
        clock: Callable[[], float] = default_clock,
        ca_bundle: str | None = None,
    ) -> None:
        super().__init__(name)
        self._uri = uri
        self._timeout = timeout
        self._resolver = resolver
        self._clock = clock
        self._ca_bundle = ca_bundle
        self._client: GuardedClient | None = None
        self._failing_since: float | None = None

    def run(self, deadline: Deadline) -> None:
        """See Check."""
        if self._client is not None and self._outlived(self._client):
            self.close()
        if self._client is None:
            with reading(NO_CERTIFICATE_FILE if OTHER_FILES.search(self._uri) else NO_AUTHORITIES):
                self._client = GuardedClient(self._uri, self._timeout, deadline, self._clock, self._ca_bundle)
        client = self._client
        try:
            self._ask(client, deadline)
        except Exception as error:
            if self._failing_since is None:
                self._failing_since = self._clock()
            client.must_dial = True
            explained = self._explained(error, client, deadline)
            # A driver that no longer asks any server has to be made anew, and so has one that reads its certificates
            # only when it is made: they may be renewed on disk.
            unusable = client.complaint is not None or not client.servers()
            if unusable or self.cause(explained).reason is Reason.TLS:
                self.close()
            if explained is error:
                raise
            raise explained from error
        self._failing_since = None

    def _outlived(self, client: GuardedClient) -> bool:
        since = self._failing_since
        return client.worn_out() or (since is not None and self._clock() - since >= LIFETIME_SECONDS)

    def _ask(self, client: GuardedClient, deadline: Deadline) -> None:
        self._select(client, deadline, SELECTION_SECONDS)
        try:
            self._ping(client, deadline)
        except AutoReconnect as error:
            # A connection kept from the last check may have been closed, or its server be no primary now.
            if self.cause(error).reason is Reason.TIMEOUT:
                raise
            client.must_dial = True
        else:
            return
        self._select(client, deadline, AFTER_LOSS_SECONDS)
        self._ping(client, deadline)

    def _select(self, client: GuardedClient, deadline: Deadline, patience: float) -> None:
        """Wait for a server to ping, but no longer than `patience` once it is known why there is none."""
        while not client.select(min(patience, deadline.remaining())):
            servers = client.servers()
            if any(not server.is_server_type_known and not server.error for server in servers):
                continue  # one is still being asked: it may be the primary
            if not servers or any(server.is_server_type_known for server in servers):
                raise CheckFailed(Reason.NO_PRIMARY, client.wanted)
            errors = [server.error for server in servers if server.error]
            raise min(errors, key=lambda error: MOST_TELLING.index(self.cause(error).reason))

    def _ping(self, client: GuardedClient, deadline: Deadline) -> None:
        if client.must_dial:
            client.must_dial = False
            # The driver looks names up in this thread, where nothing can interrupt it.
            for server in client.selectable():
                host, port = server.address
                if not host.endswith(".sock"):
                    self._resolver.resolve(host, port or 0, deadline)
        client.ping(deadline.remaining())

    def _explained(self, error: Exception, client: GuardedClient, deadline: Deadline) -> Exception:
        """`error`, or what is known to be behind it."""
        if client.complaint is not None:
            return CheckFailed(Reason.PROTOCOL, client.complaint)
        if client.options.get("tls") and self.cause(error).reason is Reason.CLOSED:
            ended = [each for each in client.servers() if each.error and self.cause(each.error).reason is Reason.CLOSED]
            for server in ended[:1]:
                if certificate_refused(server.address, client.options, deadline, self._resolver):
                    return CheckFailed(*CERTIFICATE_REFUSED)
        return error

    def close(self) -> None:
        """See Check."""
        client, self._client, self._failing_since = self._client, None, None
        if client is not None:
            client.close()

    def cause_of(self, error: BaseException) -> Cause | None:
        """See Check."""
        return super().cause_of(error) or driver_cause(error)


def create(config: CheckConfig) -> Check:
    """The check of a `mongodb` or `mongodb+srv` URL."""
    return MongoDbCheck(config.name, config.url, config.timeout, config.resolver, ca_bundle=config.ca_bundle)
