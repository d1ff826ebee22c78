"""The service while nothing reads its log, for real: gunicorn's master and worker, and their full pipes."""

import os
import signal
import threading
import unittest

from tests.peers.ai_service import FaultyAiService, Mode
from tests.peers.service import OddService, eventually

INVALID = b"GET / HTTP/1.1\r\n" + b"\x80" * 8000 + b"\r\n\r\n"
PROVOKED = 30


class Unread(OddService):
    """The service, of whose log the test reads nothing until `reading` is set."""

    def __init__(self, **settings):
        self.reading = threading.Event()
        super().__init__(wait=False, **settings)

    def fill(self):
        """Leave no room in the pipes of its stdout and stderr."""
        for number in (1, 2):
            pipe = os.open(f"/proc/{self.process.pid}/fd/{number}", os.O_WRONLY | os.O_NONBLOCK)
            try:
                while True:
                    os.write(pipe, b"-" * 4095 + b"\n")
            except BlockingIOError:
                pass
            finally:
                os.close(pipe)

    def close(self):
        self.reading.set()
        super().close()

    def _read(self, stream, lines):
        self.reading.wait()
        super()._read(stream, lines)


class UnreadLogTest(unittest.TestCase):
    def start(self, fill=False, **settings):
        self.ai_service = self.enterContext(FaultyAiService())
        service = Unread(AI_SERVICE_URL=self.ai_service.url, **settings)
        self.addCleanup(service.close)
        if fill:
            service.fill()
        service.wait_until_alive()
        eventually(lambda: service.get("/health").status == 200)
        return service

    def assert_it_serves_and_ends(self, service):
        """A failure is reported, the metrics are rendered, and SIGTERM ends it in time."""
        self.ai_service.mode = Mode.STATUS_503
        eventually(lambda: service.json("/health")["dependencies"]["ai_service"] == "disconnected")
        self.assertIn(b"server_health_log_lines_dropped_total ", service.get("/metrics").body)
        self.assertEqual(service.get("/health/live").status, 200)
        service.signal(signal.SIGTERM)
        self.assertEqual(service.process.wait(10), 0)

    def provoke(self, service):
        for _ in range(PROVOKED):
            self.assertEqual(service.send(INVALID).split(b" ")[1], b"400")
            self.assertEqual(service.get("/end/crash").status, 500)

    def test_strangers_who_fill_the_log_stop_nothing(self):
        service = self.start()
        self.provoke(service)
        service.fill()  # what is left of it
        self.provoke(service)
        self.assert_it_serves_and_ends(service)
        service.reading.set()
        service.wait()
        found = [sum("Invalid request from ip=" in line for line in service.out)]
        found.append(sum("ERROR: " in line and "panic: oops" in line for line in service.err))
        self.assertTrue(all(1 <= each <= 10 for each in found), found)

    def test_a_service_whose_log_was_never_read_starts_and_replaces_its_worker(self):
        service = self.start(fill=True)
        killed = service.worker_pid
        os.kill(killed, signal.SIGKILL)  # the master logs that, and forks again
        eventually(lambda: not os.path.exists(f"/proc/{killed}"))
        service.wait_until_alive()
        self.assert_it_serves_and_ends(service)

    def test_what_strangers_provoke_is_summed_up_and_each_line_is_bounded(self):
        service = self.start()
        service.reading.set()
        self.provoke(service)
        service.signal(signal.SIGTERM)
        self.assertEqual(service.wait(), 0)
        rest = PROVOKED - 10
        for lines, kind, summary in (
            (service.out, "Invalid request from ip=", f'WARN: {rest} more like "Invalid request from ..."'),
            (service.err, "panic: oops", f'ERROR: {rest} more like "panic: ..."'),
        ):
            with self.subTest(kind):
                self.assertEqual(sum(f" {kind}" in line for line in lines), 10)
                (found,) = (line for line in lines if "more like" in line)
                level, _, words = summary.partition(": ")
                self.assertRegex(found, rf"\A{level}: [\d/]+ [\d:]+ {words} in the last minute\Z")
        self.assertLessEqual(max(map(len, service.lines)), 8192)
        self.assertTrue(any("stopped" in line for line in service.out), "the last lines were lost")
