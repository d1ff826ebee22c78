"""MongoDB: a real server of its wire protocol as a process, and a scripted one for what that cannot show."""

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

from tests.peers.tcp_server import DEADLINE, TcpServer, reserve_port
from tests.requirement import need

NX = Path(sys.executable).with_name("nx-27017")
OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
START_SECONDS = 15.0


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Nx27017:
    """nx-27017 as a process on a port of its own; a context manager. It can be killed, stopped and started again."""

    def __init__(self):
        need(NX.exists(), f"{NX.name}, from tests/requirements.txt")
        self._reserved = reserve_port()
        self.port = self._reserved.getsockname()[1]
        self._folder = tempfile.TemporaryDirectory()
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

    @property
    def uri(self):
        return f"mongodb://127.0.0.1:{self.port}"

    def start(self):
        """Start it and wait until it takes connections."""
        folder = self._folder.name
        command = [
            str(NX),
            "--db",
            "memory",
            "--port",
            str(self.port),
            "--pid-file",
            f"{folder}/pid",
            "--log-file",
            f"{folder}/log",
        ]
        Path(folder, "pid").unlink(missing_ok=True)
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + START_SECONDS
        pause = threading.Event()
        while not self._listens():
            if time.monotonic() > end or self._process.poll() is not None:
                raise AssertionError("nx-27017 did not start")
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
        """SIGSTOP: it is there, and says nothing."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self):
        """SIGCONT."""
        os.kill(self._process.pid, signal.SIGCONT)


class Script(enum.Enum):
    """What the scripted server does."""

    HEALTHY = "a standalone server that answers"
    PRIMARY = "the primary of a replica set"
    SECONDARY = "a secondary of a replica set without a primary"
    AUTH = "refuses the credentials"
    MUTE_PING = "answers the handshake, then nothing"
    DRIP_PING = "answers the handshake, then byte by byte"
    NOT_PRIMARY = "says that it is no primary when it is pinged"
    MUTE = "nothing"
    DRIP = "an answer byte by byte, from the start"
    CLOSE = "the end, without a word"
    GARBAGE = "no message of the protocol"


class ScriptedMongo(TcpServer):
    """Speaks just enough of the wire protocol (OP_QUERY and OP_MSG) to play `script`, which may be changed."""

    def __init__(self, script=Script.HEALTHY):
        self.script = script
        self.commands = []
        super().__init__()

    @property
    def uri(self):
        credentials = "someone:hunter2@" if self.script is Script.AUTH else ""
        options = "/?replicaSet=rs" if self.script in (Script.PRIMARY, Script.SECONDARY) else "/"
        return f"mongodb://{credentials}127.0.0.1:{self.port}{options}"

    def serve(self, sock):
        while (message := self._read(sock)) is not None:
            request, command = message
            name = next(iter(command))
            with self.changed:
                self.commands.append(name)
                self.changed.notify_all()
            script = self.script
            if script is Script.CLOSE:
                return
            if script is Script.GARBAGE:
                sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 4)
                return
            if script is Script.MUTE or (script is Script.MUTE_PING and name == "ping"):
                self.ignore(sock)
                return
            reply = self._encode(request, self._reply(script, name))
            if script is Script.DRIP or (script is Script.DRIP_PING and name == "ping"):
                for byte in reply[:-1] * 1000:
                    if self.ended.wait(0.05):
                        return
                    sock.sendall(bytes([byte]))
            sock.sendall(reply)

    def _reply(self, script, name):
        if name.lower() in ("hello", "ismaster"):
            return self._hello(script)
        if script is Script.AUTH and name.startswith("sasl"):
            return {"ok": 0, "errmsg": "Authentication failed.", "code": 18, "codeName": "AuthenticationFailed"}
        if script is Script.NOT_PRIMARY and name == "ping":
            return {"ok": 0, "errmsg": "not primary", "code": 10107, "codeName": "NotWritablePrimary"}
        return {"ok": 1}

    def _hello(self, script):
        hello = {
            "helloOk": True,
            "ismaster": True,
            "isWritablePrimary": True,
            "maxBsonObjectSize": 16777216,
            "maxMessageSizeBytes": 48000000,
            "maxWriteBatchSize": 100000,
            "minWireVersion": 0,
            "maxWireVersion": 21,
            "readOnly": False,
            "ok": 1.0,
        }
        if script is Script.AUTH:
            hello["saslSupportedMechs"] = ["SCRAM-SHA-256"]
        if script in (Script.PRIMARY, Script.SECONDARY):
            me = f"127.0.0.1:{self.port}"
            hello |= {"setName": "rs", "hosts": [me], "me": me, "setVersion": 1}
        if script is Script.SECONDARY:
            hello |= {"ismaster": False, "isWritablePrimary": False, "secondary": True}
        return hello

    @staticmethod
    def _read(sock):
        """The request's id and operation, and its command; None at the end."""
        head = _exactly(sock, 16)
        if head is None:
            return None
        length, request, _, operation = struct.unpack("<iiii", head)
        body = _exactly(sock, length - 16)
        if body is None:
            return None
        document = body[body.index(b"\x00", 4) + 9 :] if operation == OP_QUERY else body[5:]
        size = struct.unpack("<i", document[:4])[0]
        return (request, operation), bson.decode(document[:size])

    @staticmethod
    def _encode(request, reply):
        (number, operation), document = request, bson.encode(reply)
        if operation == OP_QUERY:
            body, code = struct.pack("<iqii", 8, 0, 0, 1) + document, OP_REPLY
        else:
            body, code = struct.pack("<iB", 0, 0) + document, OP_MSG
        return struct.pack("<iiii", 16 + len(body), 1, number, code) + body


def _exactly(sock, size):
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            return None
        data += more
    return data
