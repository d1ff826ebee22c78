"""docs/extending.md: the check that it shows works."""

import types
import unittest
import unittest.mock

from app.checks.check import CheckConfig, perform
from app.checks.kinds import KINDS, Kind
from app.factory import watched
from app.health.report import Identity
from app.health.timing import Timing
from app.health.watch import HealthWatch
from app.net.reason import Reason
from app.net.resolver import Resolver
from app.settings import Settings, SettingsError
from tests.docs.pages import FILES, PAGES
from tests.fakes import dependency
from tests.peers.service import eventually
from tests.peers.tcp_server import TcpServer

[TABLE_LINE] = [
    block.text for block in PAGES["docs/extending.md"].blocks if block.language == "python" and not block.file
]


class Memcached(TcpServer):
    """Sends `answer`, or nothing if that is None."""

    answer = b"VERSION 1.6.31\r\n"

    def serve(self, sock):
        sock.recv(64)
        if self.answer is None:
            self.ended.wait(10)
        else:
            sock.sendall(self.answer)


class OwnCheckTest(unittest.TestCase):
    """The check on the page, in the service's own machinery."""

    def setUp(self):
        namespace = {}
        exec(compile(FILES["memcached.py"], "memcached.py", "exec"), namespace)
        self.memcached = self.enterContext(Memcached())
        url = f"memcached://127.0.0.1:{self.memcached.port}"
        self.check = namespace["create"](CheckConfig("cache", url, 0.3, "", Resolver()))

    def reason(self):
        return perform(self.check, 0.3).reason

    def test_the_check_on_the_page_reports_the_right_reason(self):
        self.assertIsNone(self.reason())
        self.memcached.answer = b"HTTP/1.1 400 Bad Request\r\n"
        self.assertEqual(self.reason(), Reason.PROTOCOL)
        self.memcached.answer = None
        self.assertEqual(self.reason(), Reason.TIMEOUT)
        self.memcached.refuse()
        self.assertEqual(self.reason(), Reason.REFUSED)

    def test_with_its_line_in_the_table_of_kinds_the_settings_accept_it_and_the_service_watches_it(self):
        namespace = {}
        exec(compile(FILES["memcached.py"], "memcached.py", "exec"), namespace)
        kinds = eval(f"{{{TABLE_LINE}}}", {"Kind": Kind, "memcached": types.SimpleNamespace(**namespace)})
        with unittest.mock.patch.dict(KINDS, kinds):
            url = f"memcached://127.0.0.1:{self.memcached.port}"
            [*_, (cache, check)] = watched(Settings.load({"MONGO_URI": "", "DEPENDENCY__CACHE__URL": url}))
            self.assertEqual((cache.name, cache.kind, perform(check, 5.0).cause), ("cache", "memcached", None))
            for bad, variable in (
                ({"DEPENDENCY__CACHE__URL": "memcached://"}, "DEPENDENCY__CACHE__URL"),
                ({"DEPENDENCY__CACHE__URL": url, "DEPENDENCY__CACHE__STATUSES": "200"}, "DEPENDENCY__CACHE__STATUSES"),
            ):
                with self.assertRaisesRegex(SettingsError, f"^{variable}: .*memcached"):
                    Settings.load(bad)

    def test_the_service_runs_the_check_on_the_page_like_its_own(self):
        timing = Timing(interval=0.1, max_age=0.1, probe_wait=0.1, timeout=0.3)
        watched = [(dependency("cache", timing=timing), self.check)]
        watch = HealthWatch(Identity("server", "1"), watched, fresh_waiters=1, fresh_seconds=1.0)
        watch.start()
        self.addCleanup(watch.stop)
        self.assertEqual(watch.probe_fresh().health(1)["dependencies"], {"cache": "connected"})
        self.memcached.refuse()
        eventually(lambda: watch.probe().missing(["cache"]))
