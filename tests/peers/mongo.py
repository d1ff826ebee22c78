"""MongoDB: a server of its wire protocol as a process, and a scripted one for what that cannot show."""

import contextlib
import enum
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import bson

from tests.peers.ports import reserve_port
from tests.peers.tcp_server import DEADLINE, TcpServer
from tests.requirement import need

NX = Path(sys.executable).with_name("nx-27017")
OP_MSG = 2013
MORE_TO_COME, EXHAUST_ALLOWED = 1 << 1, 1 << 16
START_SECONDS = 15.0


class MongoProcess:
    """A server of MongoDB's protocol as a process on its own port, with a folder of its own; a context manager.

    It can be killed, suspended and started again. Subclasses have a `command`.
    """

    def __init__(self):
        self._reserved = reserve_port()
        self.port = self._reserved.getsockname()[1]
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name)
        self._process = None
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        self.kill()
        self._folder.cleanup()
        self._reserved.close()

    def command(self):
        raise NotImplementedError

    @property
    def uri(self):
        return f"mongodb://127.0.0.1:{self.port}"

    def start(self):
        """Start it and wait until it accepts connections."""
        with open(self.folder / "output", "wb") as output:
            self._process = subprocess.Popen(self.command(), stdout=output, stderr=output)
        end = time.monotonic() + START_SECONDS
        pause = threading.Event()
        while not self._listens():
            if time.monotonic() > end or self._process.poll() is not None:
                raise AssertionError(f"it did not start: {(self.folder / 'output').read_text()}")
            pause.wait(0.02)

    def _listens(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def kill(self):
        """As a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(DEADLINE)
            self._process = None

    def stop(self):
        """SIGSTOP: connections are accepted, and nothing is answered."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self):
        """SIGCONT."""
        os.kill(self._process.pid, signal.SIGCONT)


class Nx27017(MongoProcess):
    """nx-27017, which starts fast, and has neither authentication nor TLS."""

    def __init__(self):
        need(NX.exists(), f"{NX.name}, from tests/requirements.txt")
        super().__init__()

    def command(self):
        pid, log = self.folder / "pid", self.folder / "log"
        pid.unlink(missing_ok=True)
        return [NX, "--db", "memory", "--port", str(self.port), "--pid-file", pid, "--log-file", log]


class Script(enum.Enum):
    """What the scripted server does."""

    HEALTHY = "a standalone server that answers"
    PRIMARY = "the primary of a replica set"
    SECONDARY = "a secondary of a replica set without a primary"
    AUTH = "refuses the credentials"
    FLOOD = "pushes `hello` without end"
    MUTE_PING = "answers the handshake, then nothing"
    DRIP_PING = "answers the handshake, then byte by byte"
    NOT_PRIMARY = "answers a ping with `not primary`"
    MUTE = "nothing"
    DRIP = "an answer byte by byte, from the start"
    CLOSE = "the end, without a word"
    GARBAGE = "no message of the protocol"


class ScriptedMongo(TcpServer):
    """Speaks enough of the wire protocol (OP_MSG) to play `script`, which may be changed.

    `facts` are fields of `hello` that replace those of the script. As MongoDB 4.4 does, it has sessions, and pushes
    `hello` to monitors: after a change at once, otherwise as often as they ask for. With `streams=False` it is older,
    and its monitors have to poll.
    """

    def __init__(self, script=Script.HEALTHY, streams=True, **facts):
        self.commands = []
        self.pushes = 0
        self._script, self._facts, self._streams = script, facts, streams
        self._version = {"processId": bson.ObjectId(), "counter": bson.Int64(0)}
        super().__init__()

    @property
    def script(self):
        return self._script

    @script.setter
    def script(self, script):
        self.play(script, **self._facts)

    def play(self, script, **facts):
        """From now on; monitors are told if `hello` differs."""
        with self.changed:
            before = self._hello()
            self._script, self._facts = script, facts
            if self._hello() != before:
                self._version = {**self._version, "counter": bson.Int64(self._version["counter"] + 1)}
            self.changed.notify_all()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def uri(self):
        user = "someone:hunter2@" if self.script is Script.AUTH else ""
        options = {
            Script.AUTH: "authMechanism=PLAIN",
            Script.PRIMARY: "replicaSet=rs",
            Script.SECONDARY: "replicaSet=rs",
        }
        return f"mongodb://{user}{self.address}/?{options.get(self.script, '')}"

    def drop_connections(self):
        super().drop_connections()
        with self.changed:
            self.changed.notify_all()  # to those that wait to push

    def serve(self, sock):
        while (message := self._read(sock)) is not None:
            number, exhaust, command = message
            name = next(iter(command))
            with self.changed:
                self.commands.append(name)
                self.changed.notify_all()
            version = command.get("topologyVersion")
            more = exhaust and version is not None
            while True:
                if version is not None and self.script is not Script.FLOOD:
                    seconds = command["maxAwaitTimeMS"] / 1000
                    self.wait_for(lambda seen=version: self._version != seen or self.gone(sock), seconds)
                version = self._version
                if not self._send(sock, name, self.script, number, MORE_TO_COME * more):
                    return
                if not more:
                    break
                with self.changed:
                    self.pushes += 1
                    self.changed.notify_all()

    def _send(self, sock, name, script, number, flags):
        """Do what the script has for one command; false if that ends the connection."""
        if script is Script.CLOSE:
            return False
        if script is Script.GARBAGE:
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 4)
            return False
        if script is Script.MUTE or (script is Script.MUTE_PING and name == "ping"):
            self.ignore(sock)
            return False
        body = struct.pack("<IB", flags, 0) + bson.encode(self._reply(script, name))
        reply = struct.pack("<iiii", 16 + len(body), 1, number, OP_MSG) + body
        if script is Script.DRIP or (script is Script.DRIP_PING and name == "ping"):
            for byte in reply[:-1] * 1000:
                if self.ended.wait(0.05):
                    return False
                sock.sendall(bytes([byte]))
        sock.sendall(reply)
        return True

    def _reply(self, script, name):
        if name.lower() in ("hello", "ismaster"):
            return self._hello()
        if script is Script.AUTH and name.startswith("sasl"):
            return {"ok": 0, "errmsg": "Authentication failed.", "code": 18, "codeName": "AuthenticationFailed"}
        if script is Script.NOT_PRIMARY and name == "ping":
            return {"ok": 0, "errmsg": "not primary", "code": 10107, "codeName": "NotWritablePrimary"}
        return {"ok": 1}

    def _hello(self):
        primary = self._script is not Script.SECONDARY
        hello = {
            "helloOk": True,
            "ismaster": primary,
            "isWritablePrimary": primary,
            "maxBsonObjectSize": 16777216,
            "maxMessageSizeBytes": 48000000,
            "maxWriteBatchSize": 100000,
            "minWireVersion": 0,
            "maxWireVersion": 21,
            "logicalSessionTimeoutMinutes": 30,
            "readOnly": False,
            "ok": 1.0,
        }
        if self._streams:
            hello["topologyVersion"] = self._version
        if self._script in (Script.PRIMARY, Script.SECONDARY):
            hello |= {"setName": "rs", "hosts": [self.address], "me": self.address, "setVersion": 1}
            hello["secondary"] = not primary
        return hello | self._facts

    @staticmethod
    def _read(sock):
        """A request's number, whether it may be answered more than once, and its command; None at the end."""
        head = _exactly(sock, 16)
        if head is None:
            return None
        length, number, _, _ = struct.unpack("<iiii", head)
        body = _exactly(sock, length - 16)
        if body is None:
            return None
        flags, _, size = struct.unpack("<IBi", body[:9])
        return number, bool(flags & EXHAUST_ALLOWED), bson.decode(body[5 : 5 + size])


def _exactly(sock, size):
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            return None
        data += more
    return data
