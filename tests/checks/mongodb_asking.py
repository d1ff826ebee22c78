"""A check of MongoDB that is asked again and again, and what its tests share."""

import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from app.checks.check import perform
from app.checks.mongodb import MongoDbCheck
from app.net.clock import clock
from app.net.reason import Reason
from app.net.resolver import Resolver
from tests.peers.mongo import Script, ScriptedMongo
from tests.peers.ports import reserve_port
from tests.peers.tcp_server import DEADLINE

SOON = 2.0  # with the driver's own half seconds in it


class Asking:
    """A check of its own, run by `ask`."""

    def __init__(self, uri, timeout=2.0, clock=clock, resolver=None, ca_bundle=None):
        self.check = MongoDbCheck("mongodb", uri, timeout, resolver or Resolver(), clock, ca_bundle)
        self.timeout = timeout

    def ask(self):
        return perform(self.check, self.timeout)

    def ask_until(self, wanted, limit=DEADLINE):
        """Ask as under probes are, but without a pause; the reasons in turn, each once, up to the `wanted` one."""
        seen, end = [], time.monotonic() + limit
        while time.monotonic() < end:
            reason = self.ask().reason
            seen += [reason] if seen[-1:] != [reason] else []
            if reason is wanted:
                break
            threading.Event().wait(0.01)
        return seen


class MongoTest(unittest.TestCase):
    def asking(self, uri, timeout=2.0, **options):
        asking = Asking(uri, timeout, **options)
        self.addCleanup(asking.check.close)
        return asking

    def play(self, script=Script.HEALTHY, streams=True, **facts):
        server = ScriptedMongo(script, streams, **facts)
        self.addCleanup(server.close)
        return server

    def connect(self, asking):
        """See it connected until the driver has settled: its monitor asks twice in the first half second."""
        self.assertEqual(asking.ask_until(Reason.ERROR, limit=0.7), [None])

    def assert_reason(self, asking, reason, within=SOON):
        outcome = asking.ask()
        self.assertEqual(outcome.reason, reason, outcome.error)
        self.assertLess(outcome.latency, within)

    def port_of_nobody(self):
        reserved = reserve_port()
        self.addCleanup(reserved.close)
        return reserved.getsockname()[1]

    @staticmethod
    def at_once(calls):
        """The results of all `calls`, which wait side by side."""
        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(lambda call: call(), calls))
