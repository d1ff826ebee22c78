"""What the tests of the doctor share: one dependency or upstream, examined."""

import socket
import time
import unittest

import certifi

from app.checks.check import CheckConfig
from app.checks.kinds import kind_of
from app.connections.dialler import Dialler
from app.doctor.approach import Place
from app.doctor.examination import examine
from app.doctor.subjects import approach, upstream
from app.net.resolver import Resolver
from tests.fakes import DEADLINE

PLAIN = ("name", "connect", "speak", "authenticate", "check")
ENCRYPTED = ("name", "connect", "tls", "speak", "authenticate", "check")
SHOWN = r"\ATLSv1\.\d, issued by Corp CA for 127\.0\.0\.1, valid for 30 days\Z"
"""The steps of a kind with all of them, without and with TLS, and what is shown of a certificate of `issued`."""


class NamesHere(Resolver):
    """Knows the addresses of `names`; no other name exists, and no name server is asked."""

    def __init__(self, **names):
        self.names = names
        super().__init__(self._find)

    def _find(self, host, port, type=0, flags=0):
        digits = self.names.get(host.replace(".", "_"), host)
        if isinstance(digits, Exception):
            raise digits
        return socket.getaddrinfo(digits, port, type=type, flags=flags | socket.AI_NUMERICHOST)


def subject(url, ca_bundle=None, resolver=None, timeout=DEADLINE, in_container=False, limit=None, **options):
    """What examines `url`, a dependency's or, with ws or wss, an upstream's.

    `limit` is the longest time of a step; `options` are those of CheckConfig.
    """
    place = Place(in_container, time.time())
    bundle = ca_bundle or certifi.where()
    resolver = resolver or NamesHere()
    if url.startswith("ws"):
        made = upstream("it", url, Dialler(timeout, 5.0, bundle, resolver), place)
    else:
        made = approach(kind_of(url).name, CheckConfig("it", url, timeout, bundle, resolver, **options), place)
    made.limit = limit or made.limit
    return made


class DiagnosisTest(unittest.TestCase):
    def diagnose(self, url, **options):
        return examine(subject(url, **options))

    def assert_failed(self, diagnosis, step, advice):
        """Exactly `step` failed, those after it were skipped, and the two sentences are those of `advice`."""
        states = {each.name: each.state for each in diagnosis.steps}
        self.assertEqual([name for name, state in states.items() if state == "failed"], [step], diagnosis)
        names = list(states)
        after = names[names.index(step) + 1 :]
        self.assertEqual([states[name] for name in after], ["skipped"] * len(after))
        self.assertEqual(diagnosis.advice, advice)

    def assert_well(self, diagnosis, *names):
        self.assertIsNone(diagnosis.advice, diagnosis)
        self.assertEqual([each.name for each in diagnosis.steps], list(names))
        self.assertNotIn("failed", {each.state for each in diagnosis.steps})

    def text(self, diagnosis, step):
        [text] = [each.text for each in diagnosis.steps if each.name == step]
        return text
