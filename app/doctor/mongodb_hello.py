"""One `hello`, asked without the driver, which does not show what a single server answered."""

import struct
from typing import Any, NamedTuple

import bson
from bson.errors import BSONError

from app.checks.check import CheckFailed
from app.checks.mongodb_client import MESSAGE_BYTES, MOST_SERVERS
from app.checks.mongodb_reason import NOT_MONGODB
from app.net.deadline import Deadline
from app.net.reason import Reason
from app.net.stream import Stream

# https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
HEAD = struct.Struct("<iiii")
OP_MSG = 2013
COMMAND_NOT_FOUND = 59


class Hello(NamedTuple):
    """What a server reports about itself. `set_name` is empty outside a replica set, `primary` if there is none.

    `members` are those that the set advertises, as `host:port`.
    """

    role: str
    set_name: str
    primary: str
    members: tuple[str, ...]


def hello(stream: Stream, deadline: Deadline) -> Hello:
    """Ask a server of MongoDB; it requires no authentication for that. Raises CheckFailed, OSError."""
    answer = _command(stream, "hello", deadline)
    if answer.get("code") == COMMAND_NOT_FOUND:  # before 4.4.2
        answer = _command(stream, "isMaster", deadline)
    if answer.get("ok") != 1:
        raise CheckFailed(Reason.ERROR, "answered with an error")
    return _read(answer)


def _command(stream: Stream, name: str, deadline: Deadline) -> dict[str, Any]:
    body = struct.pack("<IB", 0, 0) + bson.encode({name: 1, "$db": "admin"})
    stream.send(HEAD.pack(HEAD.size + len(body), 1, 0, OP_MSG) + body, deadline)
    length, _, _, code = HEAD.unpack(stream.read(HEAD.size, deadline))
    if code != OP_MSG or not HEAD.size + 5 < length <= MESSAGE_BYTES:
        raise CheckFailed(*NOT_MONGODB)
    answer = stream.read(length - HEAD.size, deadline)
    try:
        return bson.decode(answer[5:])  # after the flags, and the kind of the only section
    except BSONError as error:
        raise CheckFailed(*NOT_MONGODB) from error


def _read(answer: dict[str, Any]) -> Hello:
    """Raises CheckFailed for an answer of the wrong types, or of too many members."""
    lists = [answer.get(name, []) for name in ("hosts", "passives", "arbiters")]
    set_name, primary = answer.get("setName", ""), answer.get("primary", "")
    if not all(isinstance(each, list) for each in lists):
        raise CheckFailed(*NOT_MONGODB)
    named = [member for each in lists for member in each]
    if not all(isinstance(each, str) for each in (*named, set_name, primary)):
        raise CheckFailed(*NOT_MONGODB)
    members = tuple(dict.fromkeys(named))
    if len(members) > MOST_SERVERS:
        raise CheckFailed(Reason.PROTOCOL, f"more than {MOST_SERVERS} servers")
    if answer.get("msg") == "isdbgrid":
        role = "mongos"
    elif answer.get("isWritablePrimary", answer.get("ismaster")):
        role = "primary" if set_name else "standalone server"
    elif answer.get("arbiterOnly"):
        role = "arbiter"
    else:
        role = "secondary" if answer.get("secondary") else "neither primary nor secondary"
    return Hello(role, set_name, primary, members)
