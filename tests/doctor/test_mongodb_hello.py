"""One `hello`: what is read of an answer, and what is refused."""

import socket
import struct
import unittest

import bson

from app.checks.check import CheckFailed
from app.checks.mongodb_client import MESSAGE_BYTES
from app.doctor.mongodb_hello import OP_MSG, Hello, hello
from app.net.deadline import Deadline
from app.net.reason import Reason
from app.net.stream import Stream
from tests.fakes import DEADLINE


def message(document, length=None, code=OP_MSG):
    body = struct.pack("<IB", 0, 0) + (document if isinstance(document, bytes) else bson.encode(document))
    return struct.pack("<iiii", 16 + len(body) if length is None else length, 7, 1, code) + body


class HelloTest(unittest.TestCase):
    def ask(self, *answers):
        """What `hello` returns to these answers, and the names of the commands that it sent."""
        ours, theirs = socket.socketpair()
        stream = Stream(ours)
        with theirs:
            try:
                theirs.sendall(b"".join(answers))
                theirs.shutdown(socket.SHUT_WR)
                return hello(stream, Deadline(DEADLINE))
            finally:
                stream.close()
                asked = theirs.recv(65536)
                self.commands = []
                while asked:
                    self.commands.append(next(iter(bson.decode(asked[21 : struct.unpack("<i", asked[:4])[0]]))))
                    asked = asked[struct.unpack("<i", asked[:4])[0] :]

    def assert_refused(self, reason, *answers):
        with self.assertRaises(CheckFailed) as raised:
            self.ask(*answers)
        self.assertEqual(raised.exception.cause.reason, reason, raised.exception)

    def test_role_set_primary_and_members_are_read(self):
        rs = {"setName": "rs", "primary": "a:1", "hosts": ["a:1", "b:2"], "passives": ["c:3"], "arbiters": ["d:4"]}
        members = ("a:1", "b:2", "c:3", "d:4")
        for answer, expected in (
            ({"isWritablePrimary": True}, Hello("standalone server", "", "", ())),
            ({"ismaster": True}, Hello("standalone server", "", "", ())),
            ({"isWritablePrimary": True, "msg": "isdbgrid"}, Hello("mongos", "", "", ())),
            ({"isWritablePrimary": True, **rs}, Hello("primary", "rs", "a:1", members)),
            ({"isWritablePrimary": False, "secondary": True, **rs}, Hello("secondary", "rs", "a:1", members)),
            ({"arbiterOnly": True, "setName": "rs"}, Hello("arbiter", "rs", "", ())),
            ({"isreplicaset": True}, Hello("neither primary nor secondary", "", "", ())),
        ):
            with self.subTest(answer):
                self.assertEqual(self.ask(message({"ok": 1, **answer})), expected)
                self.assertEqual(self.commands, ["hello"])

    def test_a_server_that_is_too_old_for_hello_is_asked_as_before(self):
        unknown = message({"ok": 0, "code": 59, "codeName": "CommandNotFound"})
        self.assertEqual(self.ask(unknown, message({"ok": 1, "ismaster": True})).role, "standalone server")
        self.assertEqual(self.commands, ["hello", "isMaster"])

    def test_a_server_that_refuses_is_an_error_of_its_own(self):
        self.assert_refused(Reason.ERROR, message({"ok": 0, "code": 1}))

    def test_what_is_not_an_answer_is_refused_before_it_is_read(self):
        for data in (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            message({"ok": 1}, code=1),
            message({"ok": 1}, length=MESSAGE_BYTES + 1),
            message({"ok": 1}, length=-1),
            message(b"\x10\0\0\0nonsense in it"),
            message({"ok": 1, "hosts": "a:1"}),
            message({"ok": 1, "hosts": [7]}),
            message({"ok": 1, "hosts": [["a:1"]]}),
            message({"ok": 1, "setName": 7}),
            message({"ok": 1, "hosts": [str(number) for number in range(51)]}),
        ):
            with self.subTest(data[:40]):
                self.assert_refused(Reason.PROTOCOL, data)

    def test_an_answer_that_breaks_off_is_an_error_of_the_connection(self):
        for data in (b"", message({"ok": 1})[:-1]):
            with self.assertRaises(ConnectionError):
                self.ask(data)


if __name__ == "__main__":
    unittest.main()
