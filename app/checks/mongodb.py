"""MongoDB is connected when its primary answers a `ping`, through one long-lived client."""

import re
import socket
import ssl
from typing import Any

import dns.exception
import pymongo
from bson.errors import BSONError
from pymongo import MongoClient
from pymongo.errors import (
    AutoReconnect,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ProtocolError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)
from pymongo.read_preferences import ReadPreference

from app.checks.check import Check, CheckFailed
from app.net.deadline import Deadline
from app.net.reason import Reason

# The driver looks at its clock every 0.5 s while it waits for a server, and asks a server anew no more often:
# what it knows of one may be that old, and after the loss of a connection it asks twice.
SELECTION_SECONDS = 0.4
AFTER_LOSS_SECONDS = 0.9
TIMEOUTS = (NetworkTimeout, ExecutionTimeout, ServerSelectionTimeoutError, WaitQueueTimeoutError)
# AuthenticationFailed, Unauthorized, UserNotFound, and Atlas' own
AUTH_CODES = frozenset({18, 13, 11, 8000})


class MongoDbCheck(Check):
    """Pings the primary; with `directConnection=true` in `uri`, the named server, whatever its role.

    The client is made inside the first check that can make it: with `mongodb+srv` its constructor resolves
    names, and its threads do not survive a fork.
    """

    def __init__(self, name: str, uri: str, timeout: float = 5.0) -> None:
        super().__init__(name)
        self.timeout = timeout
        self._uri = uri
        self._client: MongoClient[dict[str, Any]] | None = None

    def run(self, deadline: Deadline) -> None:
        if self._client is None:
            self._client = self._make_client()
        self._select(self._client, deadline, SELECTION_SECONDS)
        try:
            self._ping(self._client, deadline)
        except AutoReconnect as error:
            # A connection kept from the last check may have been closed, or its server be no primary now.
            if isinstance(error, TIMEOUTS):
                raise
        else:
            return
        self._select(self._client, deadline, AFTER_LOSS_SECONDS)
        self._ping(self._client, deadline)

    def _make_client(self) -> MongoClient[dict[str, Any]]:
        milliseconds = int(self.timeout * 1000)
        return MongoClient(
            self._uri,
            connect=True,
            connectTimeoutMS=milliseconds,
            socketTimeoutMS=milliseconds,
            serverSelectionTimeoutMS=milliseconds,
        )

    def _ping(self, client: MongoClient[dict[str, Any]], deadline: Deadline) -> None:
        # The driver's own deadline spans the whole operation, drips of single bytes included.
        with pymongo.timeout(deadline.remaining()):
            client.admin.command("ping", read_preference=ReadPreference.PRIMARY)

    def _select(self, client: MongoClient[dict[str, Any]], deadline: Deadline, patience: float) -> None:
        """Wait for a server to ping, but no longer than `patience` once it is known why there is none."""
        while True:
            with pymongo.timeout(min(patience, deadline.remaining())):
                try:
                    _ = client.is_primary  # the property waits for a server that is one
                    return
                except ServerSelectionTimeoutError:
                    servers = client.topology_description.server_descriptions().values()
            if any(not server.is_server_type_known and not server.error for server in servers):
                continue  # one is still being asked: it may be the primary
            if not servers:
                # Its one seed once said that it was not of the set: the driver has dropped it, for good.
                self._client = None
                client.close()
            if not servers or any(server.is_server_type_known for server in servers):
                raise CheckFailed(Reason.NO_PRIMARY, "no server of the replica set is primary")
            error = next(server.error for server in servers if server.error)
            raise error from _cause_in_text(error)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def reason_of(self, cause: BaseException) -> Reason | None:
        match cause:
            case OperationFailure(code=code) if code in AUTH_CODES:
                return Reason.AUTH
            case NotPrimaryError():
                return Reason.NO_PRIMARY
            case dns.exception.DNSException():
                return Reason.DNS
            case ProtocolError() | BSONError():
                return Reason.PROTOCOL
        if isinstance(cause, TIMEOUTS):
            return Reason.TIMEOUT
        return super().reason_of(cause)

    def reason(self, error: BaseException) -> Reason:
        reason = super().reason(error)
        if reason is Reason.ERROR and isinstance(error, AutoReconnect):
            return Reason.CLOSED  # the driver's word for a connection lost, where it knows no more
        return reason


def _cause_in_text(error: Exception) -> Exception | None:
    """What an error of the driver's monitor was caused by: it strips causes off, only the text tells."""
    text = str(error)
    if "EOF occurred in violation of protocol" in text:
        return ssl.SSLEOFError(text)
    if "[SSL: " in text:
        return ssl.SSLError(text)
    if (number := re.search(r"\[Errno (-?\d+)\]", text)) is None:
        return None
    code = int(number[1])
    return socket.gaierror(code, text) if code < 0 else OSError(code, text)
