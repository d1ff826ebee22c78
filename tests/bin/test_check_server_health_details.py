"""bin/check-server-health.sh --details: the dependencies as a table."""

import base64
import json
import os
import pty

from app.health.record import Record
from app.health.report import Identity, Report, to_json
from app.net.reason import Reason
from tests.bin.health_script import ScriptTest, http

NOW = 1_795_464_000_000
MINUTE = 60_000
TOKEN = r"""a"b\c'd$e#f"""


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


class DetailsTest(ScriptTest):
    def ask(self, *pieces, options=("--details",), **how):
        return super().ask(*pieces, options=options, **how)

    def test_the_table_shows_each_dependency_with_its_state_and_reason(self):
        for tools in (("curl", "jq"), ("wget", "jq")):
            with self.subTest(tools=tools):
                ran = self.ask(http(DOWN, "503 Service Unavailable"), tools=tools)
                self.assertEqual((ran.stdout, ran.stderr, ran.returncode), (DOWN_TABLE, "", 1))
                self.assertTrue(self.heads[0].startswith("GET /health/details HTTP/1.1\r\n"))

    def test_a_healthy_server_gets_a_table_too(self):
        ran = self.ask(http(UP))
        lines = ran.stdout.splitlines()
        self.assertEqual((lines[0], len(lines), ran.returncode), ("Server is healthy", 4, 0))
        self.assertEqual(lines[2], "ai_service  connected  -       3 d  3 d ago       1.3 ms")

    def test_a_dependency_that_has_not_been_checked_yet_is_pending(self):
        ran = self.ask(http(details(Record("mongodb", NOW + 500)), "503 No"))
        self.assertEqual(ran.stdout.splitlines()[2], "mongodb     disconnected  pending  0 s  never         -")

    def test_the_token_is_sent_if_it_is_set(self):
        basic = base64.b64encode(f"token:{TOKEN}".encode()).decode()
        for tools, credentials in ((("curl", "jq"), f"Bearer {TOKEN}"), (("wget", "jq"), f"Basic {basic}")):
            with self.subTest(tools=tools):
                ran = self.ask(http(UP), tools=tools, STATUS_TOKEN=TOKEN)
                self.assertIn(f"\r\nAuthorization: {credentials}\r\n", self.heads[0])
                self.assertEqual((len(self.heads), ran.returncode), (1, 0))
                self.ask(http(UP), tools=tools)
                self.assertNotIn("Authorization", self.heads[0])

    def test_the_token_is_not_sent_without_details(self):
        self.ask(http(UP), options=(), STATUS_TOKEN=TOKEN)
        self.assertNotIn("Authorization", self.heads[0])

    def test_a_token_that_would_inject_a_header_is_wrong_usage(self):
        ran = self.ask(http(UP), STATUS_TOKEN="a\r\nX-Evil: 1")
        self.assertEqual((ran.stdout, ran.returncode, self.heads), ("", 2, []))

    def test_the_table_is_coloured_on_a_terminal_unless_no_color_is_set(self):
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

    def test_a_response_without_details_is_printed_as_it_is(self):
        for body, status in (
            ('{"type":"about:blank","title":"Unauthorized","status":401}', "401 Unauthorized"),
            ('{"status":"healthy"}', "200 OK"),
            ('{"status":"healthy","checks":{"mongodb":[]}}', "200 OK"),
        ):
            with self.subTest(body):
                ran = self.ask(http(body.encode(), status))
                self.assertEqual(ran.stdout, f"Server is unhealthy\nResponse: {body} (no details)\n")
                self.assertEqual(ran.returncode, 1)

    def test_details_of_full_length_are_read_and_control_characters_are_not_printed(self):
        record = up("evil\x1b[2J")
        for number in range(200):
            record = record.after_check(NOW - 1, NOW, Reason.DNS if number % 2 else Reason.NO_PRIMARY, 1.0)
        outbound = [{"id": "x" * 60, "state": "failed", "attempts": 5, "since": NOW}] * 500
        body = json.loads(details(record)) | {"connections": {"outbound": outbound}}
        ran = self.ask(http(to_json(body), "503 No"))
        self.assertIn("evil?[2J", ran.stdout)
        self.assertNotIn("\x1b", ran.stdout)

    def test_details_without_jq_are_wrong_usage(self):
        ran = self.ask(http(UP), tools=("curl",))
        self.assertEqual((ran.stdout, ran.returncode), ("", 2))
        self.assertEqual(ran.stderr, "check-server-health.sh: --details requires jq\n")

    def test_any_other_long_option_is_wrong_usage(self):
        for option in ("--detail", "--details=1", "--"):
            self.assertEqual(self.run_script(option, "x").returncode, 2, option)
