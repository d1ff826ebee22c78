"""The steps `name` and `connect`: every address is named, and one that connects is enough."""

import socket
import unittest

from app.doctor.reach import Server, connect_each, resolve
from app.net.deadline import Deadline
from app.net.resolver import Resolver
from tests.doctor.diagnosing import NamesHere
from tests.fakes import DEADLINE
from tests.peers.addresses import NO_ROUTE
from tests.peers.ports import reserve_port
from tests.peers.tcp_server import ScriptedServer


def addresses(*pairs):
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", pair) for pair in pairs]


class ResolveTest(unittest.TestCase):
    def resolve(self, resolver, *servers):
        return resolve([Server(*server) for server in servers], resolver, Deadline(DEADLINE))

    def test_every_address_of_a_name_is_named(self):
        def getaddrinfo(host, port, type=0, flags=0):
            if flags:
                raise socket.gaierror(socket.EAI_NONAME, "not digits")
            return addresses(("10.0.0.7", port), ("10.0.0.8", port), ("10.0.0.7", port))

        tried = self.resolve(Resolver(getaddrinfo), ("db.internal", 1))
        self.assertEqual(tried.text, "db.internal -> 10.0.0.7, 10.0.0.8")

    def test_a_name_that_does_not_resolve_stands_beside_one_that_does(self):
        tried = self.resolve(NamesHere(a_internal="127.0.0.1"), ("a.internal", 1), ("b.internal", 1), ("::1", 1))
        self.assertEqual(tried.words, ["a.internal -> 127.0.0.1", "b.internal: name not found", "::1 is an address"])
        self.assertEqual(list(tried.reached), [("a.internal", 1), ("::1", 1)])
        self.assertEqual(list(tried.errors), [("b.internal", 1)])

    def test_a_silent_name_server_differs_from_a_name_that_does_not_exist(self):
        silent = NamesHere(a_internal=socket.gaierror(socket.EAI_AGAIN, "try again"))
        self.assertEqual(self.resolve(silent, ("a.internal", 1)).text, "a.internal: the name server did not answer")


class ConnectEachTest(unittest.TestCase):
    def test_one_address_that_connects_is_enough_and_the_others_are_named(self):
        with ScriptedServer(lambda server, sock: None) as server, reserve_port() as reserved:
            closed = reserved.getsockname()[1]
            found = {Server("db", 1): addresses(("127.0.0.1", closed), ("127.0.0.1", server.port), (NO_ROUTE, 1))}
            tried = connect_each(found, Deadline(DEADLINE))
            self.assertEqual(
                tried.words,
                [
                    f"127.0.0.1:{closed} connection refused",
                    f"127.0.0.1:{server.port} connected",
                    f"{NO_ROUTE}:1 no route to the host",
                ],
            )
            self.assertEqual(tried.reached, {("db", 1): addresses(("127.0.0.1", server.port))})
            self.assertTrue(server.wait_for_open(0))

    def test_an_address_that_swallows_packets_leaves_time_for_the_next(self):
        with socket.socket() as full, ScriptedServer(lambda server, sock: None) as server:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            with socket.create_connection(full.getsockname()):  # the kernel drops whatever else comes
                found = {Server("db", 1): addresses(full.getsockname(), ("127.0.0.1", server.port))}
                tried = connect_each(found, Deadline(2.0))
        self.assertEqual([word.partition(" ")[2] for word in tried.words], ["no answer in time", "connected"])


class ServerTest(unittest.TestCase):
    def test_an_address_of_ip_version_6_stands_in_brackets(self):
        self.assertEqual([str(Server("::1", 5)), str(Server("db", 5))], ["[::1]:5", "db:5"])

    def test_loopback_is_localhost_and_its_addresses(self):
        hosts = ["localhost", "127.0.0.1", "127.9.9.9", "::1", "db", "10.0.0.1", "localhost.example"]
        self.assertEqual([host for host in hosts if Server(host, 1).is_loopback], hosts[:4])


if __name__ == "__main__":
    unittest.main()
