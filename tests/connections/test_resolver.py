import socket
import threading
import time
import unittest

from app.connections.deadline import Cancelled, Deadline
from app.connections.resolver import Resolver
from tests.connections.fakes import DEADLINE
from tests.connections.peers import eventually, threads_named

ADDRESS = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))


class HangingLookup:
    """getaddrinfo that hangs until `release` is set; addresses in digits it refuses."""

    def __init__(self, outcome):
        self.outcome = outcome
        self.calls = 0
        self.release = threading.Event()

    def __call__(self, host, port, type=0, flags=0):
        if flags:
            raise socket.gaierror(socket.EAI_NONAME, "not in digits")
        self.calls += 1
        self.release.wait(DEADLINE)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class TestResolver(unittest.TestCase):
    def test_digits_need_no_thread(self):
        resolver = Resolver()
        for host in ("127.0.0.1", "::1"):
            address = resolver.resolve(host, 80, Deadline(DEADLINE))[0]
            self.assertEqual(address[4][:2], (host, 80))
        self.assertEqual(threads_named("resolve"), [])

    def test_a_name_is_looked_up(self):
        addresses = Resolver().resolve("localhost", 80, Deadline(DEADLINE))
        self.assertIn(addresses[0][4][0], ("127.0.0.1", "::1"))

    def test_a_name_that_does_not_resolve_is_an_error_of_dns(self):
        for outcome in (socket.gaierror(socket.EAI_NONAME, "no"), UnicodeError("label too long")):
            lookup = HangingLookup(outcome)
            lookup.release.set()
            with self.subTest(outcome=outcome), self.assertRaises(socket.gaierror):
                Resolver(lookup).resolve("a", 80, Deadline(DEADLINE))

    def test_a_look_up_that_hangs_is_left_behind_at_the_deadline(self):
        lookup = HangingLookup([ADDRESS])
        resolver = Resolver(lookup)
        begin = time.monotonic()
        with self.assertRaises(TimeoutError):
            resolver.resolve("a", 80, Deadline(0.15))
        self.assertLess(time.monotonic() - begin, 1)
        lookup.release.set()
        eventually(lambda: not threads_named("resolve"))

    def test_a_look_up_that_hangs_is_left_behind_when_cancelled(self):
        lookup = HangingLookup([ADDRESS])
        cancelled = threading.Event()
        threading.Timer(0.05, cancelled.set).start()
        with self.assertRaises(Cancelled):
            Resolver(lookup).resolve("a", 80, Deadline(DEADLINE, cancelled.is_set))
        lookup.release.set()
        eventually(lambda: not threads_named("resolve"))

    def test_who_asks_for_a_name_that_hangs_waits_with_the_others(self):
        lookup = HangingLookup([ADDRESS])
        resolver = Resolver(lookup)
        for _ in range(5):
            with self.assertRaises(TimeoutError):
                resolver.resolve("a", 80, Deadline(0.01))
        self.assertEqual((lookup.calls, len(threads_named("resolve"))), (1, 1))
        lookup.release.set()
        eventually(lambda: not threads_named("resolve"))
        self.assertEqual(resolver.resolve("a", 80, Deadline(DEADLINE)), [ADDRESS])
        self.assertEqual(lookup.calls, 2)


if __name__ == "__main__":
    unittest.main()
