"""bin/check-server-health.sh --details: the dependencies as a table."""

import base64
import json
import os
import pathlib
import pty
import shutil
import subprocess
import tempfile
import unittest

from app.health.record import Record
from app.health.report import Identity, Report, to_json
from app.net.reason import Reason
from tests.bin.checkout import DEADLINE, link_commands
from tests.bin.test_check_server_health import SCRIPT, http
from tests.peers.tcp_server import TcpServer
from tests.requirement import need

NOW = 1_795_464_000_000
MINUTE = 60_000
TOKEN = r"""a"b\c'd$e#f"""


class Details(TcpServer):
    """Answers with `answer`, and keeps the heads of the requests."""

    def __init__(self, answer):
        self.answer = answer
        self.heads = []
        super().__init__()

    def serve(self, sock):
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(65536)
        self.heads.append(head.decode())
        sock.sendall(self.answer)


def details(*records):
    report = Report(Identity("server", "1.0.0"), records)
    return to_json({**report.health(NOW), "checks": report.checks(), "draining": False})


def up(name, ago=3 * 86_400_000, latency_ms=1.26):
    return Record(name, 0).after_check(NOW - ago, NOW - ago, None, latency_ms)


UP = details(up("ai_service"), up("mongodb"))
DOWN = details(
    up("ai_service", 5000), up("mongodb", 90 * MINUTE).after_check(NOW - 1, NOW - 3 * MINUTE, Reason.NO_PRIMARY, 405.04)
)
DOWN_TABLE = """\
Server is unhealthy
DEPENDENCY  STATE         REASON      FOR    LAST SUCCESS  LATENCY
ai_service  connected     -           5 s    5 s ago       1.3 ms
mongodb     disconnected  no_primary  3 min  90 min ago    405 ms
"""


class DetailsTest(unittest.TestCase):
    def setUp(self):
        self.path = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def ask(self, answer, tools=("curl", "jq"), stdout=subprocess.PIPE, **environment):
        for tool in tools:
            need(shutil.which(tool), tool)
        folder = self.path / "-".join(tools)
        if not folder.exists():
            folder.mkdir()
            link_commands(folder, "bash", *tools)
        with Details(answer) as peer:
            ran = subprocess.run(
                [folder / "bash", SCRIPT, "--details", "-u", f"http://127.0.0.1:{peer.port}/health"],
                stdout=stdout,
                stderr=subprocess.PIPE,
                text=True,
                timeout=DEADLINE,
                env={"PATH": str(folder)} | environment,
            )
        self.heads = peer.heads
        return ran

    def test_a_table_of_what_is_connected_what_is_not_and_why(self):
        for tools in (("curl", "jq"), ("wget", "jq")):
            with self.subTest(tools=tools):
                ran = self.ask(http(DOWN, "503 Service Unavailable"), tools)
                self.assertEqual((ran.stdout, ran.stderr, ran.returncode), (DOWN_TABLE, "", 1))
                self.assertTrue(self.heads[0].startswith("GET /health/details HTTP/1.1\r\n"))

    def test_healthy(self):
        ran = self.ask(http(UP))
        lines = ran.stdout.splitlines()
        self.assertEqual((lines[0], len(lines), ran.returncode), ("Server is healthy", 4, 0))
        self.assertEqual(lines[2], "ai_service  connected  -       3 d  3 d ago       1.3 ms")

    def test_a_dependency_of_which_nothing_is_known_yet(self):
        ran = self.ask(http(details(Record("mongodb", NOW + 500)), "503 No"))
        self.assertEqual(ran.stdout.splitlines()[2], "mongodb     disconnected  pending  0 s  never         -")

    def test_the_token_is_sent_if_there_is_one(self):
        basic = base64.b64encode(f"token:{TOKEN}".encode()).decode()
        for tools, credentials in ((("curl", "jq"), f"Bearer {TOKEN}"), (("wget", "jq"), f"Basic {basic}")):
            with self.subTest(tools=tools):
                ran = self.ask(http(UP), tools, STATUS_TOKEN=TOKEN)
                self.assertIn(f"\r\nAuthorization: {credentials}\r\n", self.heads[0])
                self.assertEqual((len(self.heads), ran.returncode), (1, 0))
                self.ask(http(UP), tools)
                self.assertNotIn("Authorization", self.heads[0])

    def test_without_details_the_token_is_not_sent(self):
        need(shutil.which("curl"), "curl")
        link_commands(self.path, "bash", "curl")
        with Details(http(UP)) as peer:
            subprocess.run(
                [self.path / "bash", SCRIPT, "-u", f"http://127.0.0.1:{peer.port}/health"],
                capture_output=True,
                timeout=DEADLINE,
                env={"PATH": str(self.path), "STATUS_TOKEN": TOKEN},
            )
        self.assertNotIn("Authorization", peer.heads[0])

    def test_a_token_that_would_be_another_header_is_wrong_usage(self):
        ran = self.ask(http(UP), STATUS_TOKEN="a\r\nX-Evil: 1")
        self.assertEqual((ran.stdout, ran.returncode, self.heads), ("", 2, []))

    def test_colour_on_a_terminal_only_and_not_where_it_is_unwanted(self):
        def on_terminal(**environment):
            terminal, side = pty.openpty()
            try:
                self.ask(http(DOWN, "503 No"), stdout=side, **environment)
                return os.read(terminal, 65536).decode()
            finally:
                os.close(terminal)
                os.close(side)

        coloured = on_terminal()
        self.assertIn("\x1b[32mconnected   \x1b[0m  -", coloured)
        self.assertIn("\x1b[31mdisconnected\x1b[0m  no_primary", coloured)
        self.assertEqual(on_terminal(NO_COLOR="1").replace("\r\n", "\n"), DOWN_TABLE)

    def test_what_is_no_details_is_shown_as_it_came(self):
        refused = b'{"type":"about:blank","title":"Unauthorized","status":401}'
        for answer, body in (
            (http(refused, "401 Unauthorized"), refused),
            (http(b'{"status":"healthy"}'), b'{"status":"healthy"}'),
            (http(b'{"status":"healthy","checks":{"mongodb":[]}}'), b'{"status":"healthy","checks":{"mongodb":[]}}'),
        ):
            with self.subTest(body):
                ran = self.ask(answer)
                self.assertEqual(ran.stdout, f"Server is unhealthy\nResponse: {body.decode()} (no details)\n")
                self.assertEqual(ran.returncode, 1)

    def test_details_of_full_length_fit_and_what_a_terminal_obeys_is_not_printed(self):
        record = up("evil\x1b[2J")
        for number in range(200):
            record = record.after_check(NOW - 1, NOW, Reason.DNS if number % 2 else Reason.NO_PRIMARY, 1.0)
        outbound = [{"id": "x" * 60, "state": "failed", "attempts": 5, "since": NOW}] * 500
        body = json.loads(details(record)) | {"connections": {"outbound": outbound}}
        ran = self.ask(http(to_json(body), "503 No"))
        self.assertIn("evil?[2J", ran.stdout)
        self.assertNotIn("\x1b", ran.stdout)

    def test_without_jq_it_is_wrong_usage(self):
        ran = self.ask(http(UP), ("curl",))
        self.assertEqual((ran.stdout, ran.returncode), ("", 2))
        self.assertEqual(ran.stderr, "check-server-health.sh: --details takes jq\n")

    def test_another_long_option_is_wrong_usage(self):
        for option in ("--detail", "--details=1", "--"):
            ran = subprocess.run(["bash", SCRIPT, option, "x"], capture_output=True, text=True, timeout=DEADLINE)
            self.assertEqual(ran.returncode, 2, option)
