import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from tests.bin.checkout import DEADLINE, ROOT, link_commands, living
from tests.peers.service import eventually
from tests.peers.tcp_server import TcpServer
from tests.requirement import need

SCRIPT = ROOT / "bin/check-server-health.sh"
HEALTHY = (
    b'{"status":"healthy","timestamp":1795464000000,"version":"1.0.0","service":"server",'
    b'"dependencies":{"ai_service":"connected","mongodb":"connected"}}\n'
)
UNHEALTHY = HEALTHY.replace(b'"healthy"', b'"unhealthy"')
TOOLS = [("curl", "jq"), ("curl",), ("wget", "jq"), ("wget",)]
CLIENTS = [("curl",), ("wget",)]
PARSERS = [("curl", "jq"), ("curl",)]


def http(body, status="200 OK", header=""):
    """A whole HTTP answer, as bytes."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{header}\r\n"
    return head.encode() + body


class Peer(TcpServer):
    """Sends the pieces, `pause` seconds apart, to each that asks, and keeps the request lines."""

    def __init__(self, *pieces, pause=0.0):
        self.requests = []
        self._pieces = pieces
        self._pause = pause
        super().__init__()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/health"

    def serve(self, sock):
        self.requests.append(sock.makefile("rb").readline().decode().strip())
        for piece in self._pieces:
            sock.sendall(piece)
            self.ended.wait(self._pause)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):  # to close with something unread would be a reset
            pass


class CheckServerHealthTest(unittest.TestCase):
    """bin/check-server-health.sh, alone in the world: a PATH with just the commands named."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.home = self.folder / "home"
        self.home.mkdir()

    def run_script(self, *arguments, tools=("curl", "jq"), **environment):
        for tool in tools:
            need(shutil.which(tool), tool)
        path = self.folder / "-".join(("path", *tools))
        if not path.exists():
            path.mkdir()
            link_commands(path, "bash", *tools)
        return subprocess.run(
            [path / "bash", SCRIPT, *arguments],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env={"PATH": str(path), "HOME": str(self.home)} | environment,
        )

    def ask(self, *pieces, tools=("curl", "jq"), seconds="5", pause=0.0, **environment):
        with Peer(*pieces, pause=pause) as peer:
            self.requests = peer.requests
            return self.run_script("-u", peer.url, "-t", seconds, tools=tools, **environment)

    def assert_healthy(self, ran):
        self.assertEqual((ran.stdout, ran.stderr, ran.returncode), ("Server is healthy\n", "", 0))

    def assert_unhealthy(self, ran, response=None):
        self.assertEqual((ran.stderr, ran.returncode), ("", 1))
        lines = ran.stdout.splitlines()
        self.assertEqual((lines[0], len(lines)), ("Server is unhealthy", 2))
        self.assertTrue(lines[1].startswith("Response: "), lines[1])
        if response is not None:
            self.assertEqual(lines[1], "Response: " + response)

    def test_healthy_with_curl_or_wget_with_or_without_jq(self):
        for tools in TOOLS:
            with self.subTest(tools=tools):
                self.assert_healthy(self.ask(http(HEALTHY), tools=tools))
                self.assertEqual(self.requests, ["GET /health HTTP/1.1"])

    def test_unhealthy_with_the_response_of_a_503(self):
        for tools in TOOLS:
            with self.subTest(tools=tools):
                ran = self.ask(http(UNHEALTHY, "503 Service Unavailable"), tools=tools)
                self.assert_unhealthy(ran, UNHEALTHY.decode().strip())

    def test_unhealthy_with_the_response_of_a_200(self):
        for tools in TOOLS:
            with self.subTest(tools=tools):
                self.assert_unhealthy(self.ask(http(UNHEALTHY), tools=tools), UNHEALTHY.decode().strip())

    def test_busybox_in_place_of_wget(self):
        need(shutil.which("busybox"), "busybox")
        path = self.folder / "path-wget"
        path.mkdir()
        link_commands(path, "bash")
        (path / "wget").symlink_to(shutil.which("busybox"))
        self.assert_healthy(self.ask(http(HEALTHY), tools=("wget",), http_proxy="http://127.0.0.1:9"))
        self.assert_unhealthy(self.ask(http(UNHEALTHY, "503 No"), tools=("wget",)))

    def test_an_error_or_a_redirect_in_http_is_not_healthy_whatever_it_says(self):
        for tools in TOOLS:
            for status in "500 Error", "404 Not Found", "302 Found":
                with self.subTest(tools=tools, status=status):
                    answer = http(HEALTHY, status, "Location: /healthy\r\n")
                    self.assert_unhealthy(self.ask(answer, tools=tools))
                    self.assertEqual(len(self.requests), 1)

    def test_json_that_is_healthy(self):
        for tools in PARSERS:
            for body in (
                b'\n{ "status" :\t"healthy" }\r\n',
                b'{"status":"unhealthy","status":"healthy"}',
                rb'{"a":[-1.5e+3,0,[],[{}],true,false,null],"s":"\"\\\u00e9","status":"healthy"}',
                '{"service":"сервер","status":"healthy"}'.encode(),
                b'{"service":"' + b"x" * 20000 + b'","status":"healthy"}',
            ):
                with self.subTest(tools=tools, body=body[:80]):
                    self.assert_healthy(self.ask(http(body), tools=tools))

    def test_what_only_looks_healthy(self):
        for tools in PARSERS:
            for body in (
                b"",
                b"healthy",
                b'"healthy"',
                b'[{"status":"healthy"}]',
                b'{"status":"Healthy"}',
                b'{"status":["healthy"]}',
                b'{"status":null}',
                b'{"x":"\\"status\\":\\"healthy\\""}',
                b'{"dependencies":{"status":"healthy"}}',
                b'{"status":"unhealthy","x":{"status":"healthy"}}',
                b'{"status":"healthy","status":"unhealthy"}',
                b'{"status":"healthy","status":{}}',
                b'{"status":"healthy","st\\u0061tus":"unhealthy"}',
                b'{"status":"healthy"',
                b'{"status":"healthy"}}',
                b'{"status":"healthy",}',
                b'{"status" "healthy"}',
                b'{"status":"healthy"]',
                b'{"status":"healthy"}{"status":"healthy"}',
                b'{"status":"healthy"} and well',
                b'{"status":"healthy","x":"\n"}',
                b'{"status":"healthy"}\0',
                b'{"status":"heal\0thy"}',
                b'{"status":"healthy","x":' + b"[" * 20000,
                b"<html>healthy</html>",
            ):
                with self.subTest(tools=tools, body=body[:80]):
                    self.assert_unhealthy(self.ask(http(body), tools=tools))

    def test_too_long_an_answer_is_not_read_to_its_end(self):
        for tools in CLIENTS:
            with self.subTest(tools=tools):
                body = b'{"status":"healthy","x":"' + b"x" * 40000 + b'"}'
                ran = self.ask(http(body), tools=tools)
                self.assert_unhealthy(ran)
                self.assertIn("(not text of 32 KiB at most)", ran.stdout)
                self.assertLess(len(ran.stdout), 33000)

    def test_an_answer_that_is_cut_short_is_unhealthy(self):
        for tools in CLIENTS:
            with self.subTest(tools=tools):
                answer = http(HEALTHY + b" " * 100)[:-100]
                self.assert_unhealthy(self.ask(answer, tools=tools))

    def test_many_parts_end_soon_without_jq(self):
        began = time.monotonic()
        self.assert_unhealthy(self.ask(http(b'{"status":"healthy","x":[' + b"1," * 15000 + b"1]}"), tools=("curl",)))
        self.assertLess(time.monotonic() - began, 5)

    def test_the_time_is_a_limit_for_all_of_a_mute_or_dripping_answer(self):
        for tools in CLIENTS:
            for name, pieces in (
                ("mute", [b""] * 100),
                ("dripping head", [b"HTTP/1.1 200 OK\r\n"] + [b"X: y\r\n"] * 100),
                ("dripping body", [http(HEALTHY)[:-100]] + [b" "] * 100),
            ):
                with self.subTest(tools=tools, peer=name):
                    began = time.monotonic()
                    ran = self.ask(*pieces, tools=tools, seconds="0.4", pause=0.05)
                    self.assertTrue(0.4 <= time.monotonic() - began < 3)
                    self.assert_unhealthy(ran)
                    self.assertTrue(ran.stdout.endswith("(not whole within 0.4 s)\n"), ran.stdout)

    def test_unreachable(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        for tools in CLIENTS:
            with self.subTest(tools=tools):
                ran = self.run_script("-u", f"http://127.0.0.1:{port}/health", tools=tools)
                self.assert_unhealthy(ran)
                self.assertRegex(ran.stdout, rf"\(({tools[0]}): exit status \d+\)")

    def test_control_characters_do_not_reach_the_terminal(self):
        body = b'{"status":"\x1b]0;owned\x07\x9b2J\xc2\x9b31m"}\nServer is healthy\r\n\x7f'
        for tools in CLIENTS:
            with self.subTest(tools=tools):
                ran = self.ask(http(body, "503 \x1b[2J"), tools=tools)
                self.assert_unhealthy(ran, '{"status":"?]0;owned??2J??31m"} Server is healthy  ?')

    def test_no_word_of_a_response_is_executed_or_expanded(self):
        canary = self.folder / "canary"
        body = f'{{"status":"$(>{canary}) `>{canary}` * ~ a[$(>{canary})] %s \\\\n"}}'
        for tools in CLIENTS:
            with self.subTest(tools=tools):
                self.assert_unhealthy(self.ask(http(body.encode()), tools=tools), body)
                self.assertFalse(canary.exists())

    def test_proxies_and_the_users_settings_are_left_out(self):
        (self.home / ".curlrc").write_text("user-agent = x\nproxy = http://127.0.0.1:9\nfail\n")
        (self.home / ".wgetrc").write_text("http_proxy = http://127.0.0.1:9\nuse_proxy = on\n")
        (self.home / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
        before = sorted(self.home.iterdir())
        proxy = "http://127.0.0.1:9"
        for tools in CLIENTS:
            with self.subTest(tools=tools):
                ran = self.ask(
                    http(HEALTHY), tools=tools, http_proxy=proxy, HTTP_PROXY=proxy, all_proxy=proxy, ALL_PROXY=proxy
                )
                self.assert_healthy(ran)
        self.assertEqual(sorted(self.home.iterdir()), before)

    def test_wrong_usage(self):
        for arguments in (
            ["-t", "0"],
            ["-t", "0.0"],
            ["-t", "0.0000001"],
            ["-t", "-1"],
            ["-t", "5s"],
            ["-t", "nan"],
            ["-t", "inf"],
            ["-t", ""],
            ["-t", "1e3"],
            ["-t"],
            ["-u"],
            ["-u", ""],
            ["-u", "localhost:8080"],
            ["-u", "-o/tmp/x"],
            ["-u", "file:///etc/passwd"],
            ["-u", "http://a b"],
            ["-x"],
            ["http://127.0.0.1:9/health"],
        ):
            with self.subTest(arguments=arguments):
                ran = self.run_script(*arguments)
                self.assertEqual((ran.stdout, ran.returncode), ("", 2))
                self.assertRegex(ran.stderr, r"\Acheck-server-health\.sh: .+\n\Z")

    def test_neither_curl_nor_wget(self):
        ran = self.run_script(tools=())
        self.assertEqual((ran.stdout, ran.returncode), ("", 2))
        self.assertIn("neither curl nor wget", ran.stderr)

    def test_help(self):
        ran = self.run_script("-h")
        usage = "usage: check-server-health.sh [-u URL] [-t SECONDS] [--details]\n"
        self.assertEqual((ran.stdout, ran.returncode), (usage, 0))

    def test_the_default_is_the_health_of_this_machines_port_8080(self):
        path = self.folder / "path-curl"
        path.mkdir()
        link_commands(path, "bash")
        fake = path / "curl"
        fake.write_text(f'#!{shutil.which("bash")}\nprintf "%s\\n200" "${{@: -1}}"\n')
        fake.chmod(0o755)
        ran = self.run_script(tools=("curl",))
        self.assert_unhealthy(ran, "http://localhost:8080/health")

    def test_ended_from_outside_it_leaves_no_client_behind(self):
        need(shutil.which("curl"), "curl")
        with Peer(*[b""] * 300, pause=0.1) as peer:
            process = subprocess.Popen(
                [SCRIPT, "-u", peer.url, "-t", "60"],
                start_new_session=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            eventually(lambda: peer.requests)
            process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE)
            eventually(lambda: not living(process.pid))
