"""Name look-ups that can be left behind."""

import socket
import threading
import unittest
import unittest.mock

from app.net.deadline import Deadline
from app.net.reason import NO_NAME_SERVER, cause_of
from app.net.resolver import Resolver
from tests.fakes import DEADLINE

ADDRESS = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))


class HangingLookup:
    """A getaddrinfo that hangs until `release` is set; addresses in digits are not its business."""

    def __init__(self, result):
        self.result = result
        self.calls = 0
        self.release = threading.Event()

    def __call__(self, host, port, type=0, flags=0):
        if flags:
            raise socket.gaierror(socket.EAI_NONAME, "not in digits")
        self.calls += 1
        self.release.wait(DEADLINE)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def lookups():
    return [thread for thread in threading.enumerate() if thread.name == "resolve"]


class ResolverTest(unittest.TestCase):
    def finish(self, lookup):
        underway = lookups()
        lookup.release.set()
        for thread in underway:
            thread.join(DEADLINE)
        self.assertEqual(lookups(), [])

    def test_an_address_in_digits_needs_no_thread(self):
        with unittest.mock.patch.object(threading.Thread, "start", side_effect=RuntimeError):
            for host in ("127.0.0.1", "::1"):
                self.assertEqual(Resolver().resolve(host, 80, Deadline(DEADLINE))[0][4][:2], (host, 80))

    def test_a_name_is_looked_up(self):
        addresses = Resolver().resolve("localhost", 80, Deadline(DEADLINE))
        self.assertIn(addresses[0][4][0], ("127.0.0.1", "::1"))

    def test_a_name_that_does_not_resolve_raises_an_error_of_the_name_service(self):
        for result in (socket.gaierror(socket.EAI_NONAME, "no"), UnicodeError("label too long")):
            lookup = HangingLookup(result)
            lookup.release.set()
            with self.subTest(result=result), self.assertRaises(socket.gaierror) as raised:
                Resolver(lookup).resolve("a", 80, Deadline(DEADLINE))
            self.assertEqual(cause_of(raised.exception).detail, "name not found")

    def test_a_name_server_that_does_not_answer_differs_from_a_name_that_does_not_exist(self):
        lookup = HangingLookup(socket.gaierror(socket.EAI_AGAIN, "try again"))
        lookup.release.set()
        with self.assertRaises(socket.gaierror) as raised:
            Resolver(lookup).resolve("a", 80, Deadline(DEADLINE))
        self.assertEqual(cause_of(raised.exception), NO_NAME_SERVER)

    def test_callers_share_one_look_up_that_hangs_and_leave_it_at_their_deadline(self):
        lookup = HangingLookup([ADDRESS])
        resolver = Resolver(lookup)
        for _ in range(5):
            with self.assertRaises(TimeoutError):
                resolver.resolve("a", 80, Deadline(0.01))
        self.assertEqual((lookup.calls, len(lookups())), (1, 1))
        self.finish(lookup)
        self.assertEqual(resolver.resolve("a", 80, Deadline(DEADLINE)), [ADDRESS])
        self.assertEqual(lookup.calls, 2)

    def test_a_look_up_that_gets_no_thread_fails_and_the_next_one_is_made(self):
        lookup = HangingLookup([ADDRESS])
        lookup.release.set()
        resolver = Resolver(lookup)
        with unittest.mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")):
            with self.assertRaises(RuntimeError):
                resolver.resolve("a", 80, Deadline(DEADLINE))
        self.assertEqual(resolver.resolve("a", 80, Deadline(DEADLINE)), [ADDRESS])


if __name__ == "__main__":
    unittest.main()
