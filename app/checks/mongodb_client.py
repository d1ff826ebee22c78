"""A MongoClient that no answer can make grow without bound, and of which it is known whether it still works."""

import re
from collections.abc import Callable
from typing import Any

import pymongo
from pymongo import MongoClient, monitoring
from pymongo.errors import PyMongoError, ServerSelectionTimeoutError
from pymongo.read_preferences import ReadPreference
from pymongo.server_description import ServerDescription
from pymongo.synchronous.pool import Connection
from pymongo.topology_description import TopologyDescription, updated_topology_description
from pymongo.uri_parser import parse_uri

from app.checks.check import CheckFailed
from app.net.deadline import Deadline
from app.net.reason import Reason

MOST_SERVERS = 50
MOST_HEARTBEATS_A_SECOND = 200
MESSAGE_BYTES = 256 * 1024
# After `auth` the driver waits for the next heartbeat, and without awaited answers (an old server, or K_SERVICE in the
# environment) it learns of a lost primary only then: its own 10 s are too long for both.
HEARTBEAT_MILLISECONDS = 1000
FAREWELL_SECONDS = 0.1
SPARE_SECONDS = 1.0
SRV = "mongodb+srv://"
FROM_DNS = ("authSource", "loadBalanced", "replicaSet", "tls")

# The driver reads a message of 48 MB, or of whatever length the peer has announced, before anything can look at it
# (measured: a `hello` of 30 MB makes the process grow by 160 MB). It has no option for this.
Connection.max_message_size = property(lambda _: MESSAGE_BYTES, lambda _, announced: None)  # type: ignore[assignment]


class GuardedClient(monitoring.ServerHeartbeatListener):
    """A MongoClient, not yet connected, that listens to its own monitors.

    The driver calls `started`, `succeeded` and `failed` in the monitors' threads; `succeeded` before it acts on the
    answer to `hello`. An answer that would end a monitor's thread, or make the topology too large, closes the client:
    the driver starts a thread for each server that an answer names (measured: 5000 names, 5000 threads, 220 MB).
    """

    def __init__(
        self, uri: str, timeout: float, deadline: Deadline, clock: Callable[[], float], ca_bundle: str | None = None
    ) -> None:
        """`ca_bundle` serves a URI that asks for TLS and names no authorities; `mongodb+srv` is resolved by `deadline`.

        Raises CheckFailed, PyMongoError and TimeoutError.
        """
        hosts, self.options = parsed(uri, deadline)
        """What the URI and its DNS records set."""
        self.complaint: str | None = None
        """What was wrong with the answer that closed the client."""
        self.must_dial = True
        """Whether the next operation may have to open a connection."""
        self._timeout = timeout
        self._clock = clock
        # When each server's monitor was last heard. Written by the monitors, read by the checker, one step at a time:
        # it needs no lock.
        self._heard: dict[tuple[str, int | None], float] = {}
        self._second, self._count = 0.0, 0
        milliseconds = int(timeout * 1000)
        more: dict[str, Any] = {
            "connectTimeoutMS": milliseconds,
            "socketTimeoutMS": milliseconds,
            "serverSelectionTimeoutMS": milliseconds,
            # When its connection is refused, the driver would try again, and wait for a server until the deadline.
            "maxAdaptiveRetries": 0,
        }
        if ca_bundle is not None and self.options.get("tls") and "tlsCAFile" not in self.options:
            more["tlsCAFile"] = ca_bundle
        if "heartbeatFrequencyMS" not in self.options:
            more["heartbeatFrequencyMS"] = HEARTBEAT_MILLISECONDS
        if uri.startswith(SRV):
            uri = _with_hosts(uri, hosts)
            more |= {name: self.options[name] for name in FROM_DNS if name in self.options}
        self._client: MongoClient[dict[str, Any]] = MongoClient(uri, connect=False, event_listeners=[self], **more)
        self._preference = self._client.read_preference

    @property
    def wanted(self) -> str:
        """What is missing while no server can be selected, as a detail."""
        if self._preference == ReadPreference.PRIMARY:
            return "no primary in the replica set"
        return f"no server for readPreference={self._preference.mongos_mode}"

    def servers(self) -> list[ServerDescription]:
        """All members that are known of, in a fixed order."""
        servers = self._client.topology_description.server_descriptions().values()
        return sorted(servers, key=lambda server: str(server.address))

    def selectable(self) -> list[ServerDescription]:
        """The servers of which the next operation will use one."""
        return self._client.topology_description.apply_selector(self._preference)

    def select(self, seconds: float) -> bool:
        """Wait until there is a server to ping, `seconds` at most or up to 0.5 s more."""
        try:
            with pymongo.timeout(seconds):
                if self._preference == ReadPreference.PRIMARY:
                    _ = self._client.is_primary  # the property waits for a server that is one
                elif not self._client.topology_description.has_readable_server(self._preference):
                    self._client.admin.command("ping", read_preference=self._preference)
        except ServerSelectionTimeoutError:
            return False
        except PyMongoError:
            if self._preference == ReadPreference.PRIMARY:
                raise
            # A server was found: what it answers is for `ping` to report.
        return True

    def ping(self, seconds: float) -> None:
        """Raises PyMongoError after `seconds` at most, drips of single bytes included."""
        with pymongo.timeout(seconds):
            self._client.admin.command("ping", read_preference=self._preference)

    def worn_out(self) -> bool:
        """Whether a new client is needed although this one may not fail.

        Without the monitor of a server, because it died or got no thread, the driver goes on believing what it last
        heard. And `_heard` keeps the servers that have left the topology.
        """
        longest = self._client.topology_description.heartbeat_frequency + self._timeout + SPARE_SECONDS
        now = self._clock()
        silent = any(now - self._heard.get(server.address, now) > longest for server in self.selectable())
        return silent or len(self._former(self._client.topology_description)) > MOST_SERVERS

    def close(self) -> None:
        """Close the client; its threads end by themselves. Takes FAREWELL_SECONDS at most."""
        # The driver ends its sessions first: without a time limit it waits 5 s for that, and where no server is
        # known 0.5 s even with one, unless the limit has passed before it begins.
        known = self._client.topology_description.readable_servers
        with pymongo.timeout(FAREWELL_SECONDS if known else 1e-9):
            self._client.close()

    def started(self, event: monitoring.ServerHeartbeatStartedEvent) -> None:
        self._heard[event.connection_id] = self._clock()

    def failed(self, event: monitoring.ServerHeartbeatFailedEvent) -> None:
        self._heard[event.connection_id] = self._clock()
        self.must_dial = True  # the driver closes its connections to a server that its monitor has lost

    def succeeded(self, event: monitoring.ServerHeartbeatSucceededEvent) -> None:
        self._heard[event.connection_id] = self._clock()
        try:
            complaint = self._complaint(event)
        except Exception as error:
            # The driver checks none of the types in an answer: this would end the monitor's thread.
            complaint = f"an answer of the wrong types: {type(error).__name__}"
        if complaint is not None:
            self.complaint = complaint
            self.close()

    def _complaint(self, event: monitoring.ServerHeartbeatSucceededEvent) -> str | None:
        """What is wrong with an answer, or None. Raises what the driver would raise for it."""
        now = self._clock()
        if now - self._second >= 1:
            self._second, self._count = now, 0
        self._count += 1
        if self._count > MOST_HEARTBEATS_A_SECOND:
            return f"more than {MOST_HEARTBEATS_A_SECOND} answers a second to hello"
        if (version := event.reply.topology_version) is not None:
            _ = version["processId"], version["counter"] > 0
        server = ServerDescription(event.connection_id, event.reply)
        if not (before := self._client.topology_description).has_server(server.address):
            return None
        after = updated_topology_description(before, server)
        if len(after.server_descriptions()) > MOST_SERVERS:
            return f"more than {MOST_SERVERS} servers"
        if len(self._former(after)) > 2 * MOST_SERVERS:
            return f"more than {2 * MOST_SERVERS} servers that came and went"
        return None

    def _former(self, topology: TopologyDescription) -> set[tuple[str, int | None]]:
        return set(self._heard) - set(topology.server_descriptions())


def parsed(uri: str, deadline: Deadline) -> tuple[list[tuple[str, int]], dict[str, Any]]:
    """The hosts and ports in `uri` or in its DNS records, and the options that the two set.

    Raises CheckFailed, PyMongoError and, for `mongodb+srv`, which is looked up by `deadline`, DNSException.
    """
    found = parse_uri(uri, warn=True, connect_timeout=deadline.share(2).remaining())  # in seconds, for each record
    if len(found["nodelist"]) > MOST_SERVERS:
        raise CheckFailed(Reason.PROTOCOL, f"more than {MOST_SERVERS} servers")
    return found["nodelist"], dict(found["options"])


def _with_hosts(uri: str, hosts: list[tuple[str, int]]) -> str:
    """A `mongodb+srv` URI as one that names its servers.

    The driver itself would look two records up with the whole timeout for each, accept any number of servers, and look
    again once a minute.
    """
    head, _, query = uri.removeprefix(SRV).partition("?")
    authority, _, database = head.partition("/")
    user, at, _ = authority.rpartition("@")
    query = re.sub(r"(^|[&;])srv[a-z]+=[^&;]*", "", query, flags=re.IGNORECASE).lstrip("&;")
    return f"mongodb://{user}{at}{','.join(f'{host}:{port}' for host, port in hosts)}/{database}?{query}"
