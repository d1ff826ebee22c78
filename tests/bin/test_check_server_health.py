import shutil
import signal
import socket
import subprocess
import time

from tests.bin.checkout import DEADLINE, link_commands, living
from tests.bin.health_script import SCRIPT, Peer, ScriptTest, http
from tests.peers.service import eventually
from tests.requirement import need

HEALTHY = (
    b'{"status":"healthy","timestamp":1795464000000,"version":"1.0.0","service":"server",'
    b'"dependencies":{"ai_service":"connected","mongodb":"connected"}}\n'
)
UNHEALTHY = HEALTHY.replace(b'"healthy"', b'"unhealthy"')
TOOLS = [("curl", "jq"), ("curl",), ("wget", "jq"), ("wget",)]
CLIENTS = [("curl",), ("wget",)]
PARSERS = [("curl", "jq"), ("curl",)]


class CheckServerHealthTest(ScriptTest):
    def assert_healthy(self, ran):
        self.assertEqual((ran.stdout, ran.stderr, ran.returncode), ("Server is healthy\n", "", 0))

    def assert_unhealthy(self, ran, response=None):
        self.assertEqual((ran.stderr, ran.returncode), ("", 1))
        lines = ran.stdout.splitlines()
        self.assertEqual((lines[0], len(lines)), ("Server is unhealthy", 2))
        self.assertTrue(lines[1].startswith("Response: "), lines[1])
        if response is not None:
            self.assertEqual(lines[1], "Response: " + response)

    def test_a_healthy_server_is_healthy_with_curl_or_wget_with_or_without_jq(self):
        for tools in TOOLS:
            with self.subTest(tools=tools):
                self.assert_healthy(self.ask(http(HEALTHY), tools=tools))
                self.assertEqual([head.partition("\r\n")[0] for head in self.heads], ["GET /health HTTP/1.1"])

    def test_the_response_of_an_unhealthy_503_is_printed(self):
        for tools in TOOLS:
            with self.subTest(tools=tools):
                ran = self.ask(http(UNHEALTHY, "503 Service Unavailable"), tools=tools)
                self.assert_unhealthy(ran, UNHEALTHY.decode().strip())

    def test_the_response_of_an_unhealthy_200_is_printed(self):
        for tools in TOOLS:
            with self.subTest(tools=tools):
                self.assert_unhealthy(self.ask(http(UNHEALTHY), tools=tools), UNHEALTHY.decode().strip())

    def test_the_wget_of_busybox_works_too(self):
        need(shutil.which("busybox"), "busybox")
        path = self.folder / "path-wget"
        path.mkdir()
        link_commands(path, "bash")
        (path / "wget").symlink_to(shutil.which("busybox"))
        self.assert_healthy(self.ask(http(HEALTHY), tools=("wget",), http_proxy="http://127.0.0.1:9"))
        self.assert_unhealthy(self.ask(http(UNHEALTHY, "503 No"), tools=("wget",)))

    def test_an_http_error_or_redirect_is_unhealthy_whatever_its_body(self):
        for tools in TOOLS:
            for status in "500 Error", "404 Not Found", "302 Found":
                with self.subTest(tools=tools, status=status):
                    answer = http(HEALTHY, status, "Location: /healthy\r\n")
                    self.assert_unhealthy(self.ask(answer, tools=tools))
                    self.assertEqual(len(self.heads), 1)

    def test_every_json_form_of_a_healthy_object_is_healthy(self):
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

    def test_a_body_that_only_looks_healthy_is_unhealthy(self):
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

    def test_a_response_over_32_kib_is_unhealthy_and_not_read_further(self):
        for tools in CLIENTS:
            with self.subTest(tools=tools):
                body = b'{"status":"healthy","x":"' + b"x" * 40000 + b'"}'
                ran = self.ask(http(body), tools=tools)
                self.assert_unhealthy(ran)
                self.assertIn("(not text, or over 32 KiB)", ran.stdout)
                self.assertLess(len(ran.stdout), 33000)

    def test_a_truncated_response_is_unhealthy(self):
        for tools in CLIENTS:
            with self.subTest(tools=tools):
                answer = http(HEALTHY + b" " * 100)[:-100]
                self.assert_unhealthy(self.ask(answer, tools=tools))

    def test_a_json_body_of_many_tokens_is_refused_in_time_without_jq(self):
        began = time.monotonic()
        self.assert_unhealthy(self.ask(http(b'{"status":"healthy","x":[' + b"1," * 15000 + b"1]}"), tools=("curl",)))
        self.assertLess(time.monotonic() - began, 5)

    def test_the_time_limit_covers_a_mute_or_dripping_response_as_a_whole(self):
        for tools in CLIENTS:
            for name, pieces in (
                ("mute", [b""] * 100),
                ("dripping head", [b"HTTP/1.1 200 OK\r\n"] + [b"X: y\r\n"] * 100),
                ("dripping body", [http(HEALTHY)[:-100]] + [b" "] * 100),
            ):
                with self.subTest(tools=tools, peer=name):
                    began = time.monotonic()
                    ran = self.ask(*pieces, tools=tools, options=["-t", "0.4"], pause=0.05)
                    self.assertTrue(0.4 <= time.monotonic() - began < 3)
                    self.assert_unhealthy(ran)
                    self.assertTrue(ran.stdout.endswith("(not complete within 0.4 s)\n"), ran.stdout)

    def test_an_unreachable_server_is_unhealthy(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        for tools in CLIENTS:
            with self.subTest(tools=tools):
                ran = self.run_script("-u", f"http://127.0.0.1:{port}/health", tools=tools)
                self.assert_unhealthy(ran)
                self.assertRegex(ran.stdout, rf"\(({tools[0]}): exit status \d+\)")

    def test_control_characters_in_a_response_are_not_printed(self):
        body = b'{"status":"\x1b]0;owned\x07\x9b2J\xc2\x9b31m"}\nServer is healthy\r\n\x7f'
        for tools in CLIENTS:
            with self.subTest(tools=tools):
                ran = self.ask(http(body, "503 \x1b[2J"), tools=tools)
                self.assert_unhealthy(ran, '{"status":"?]0;owned??2J??31m"} Server is healthy  ?')

    def test_a_response_is_neither_executed_nor_expanded(self):
        canary = self.folder / "canary"
        body = f'{{"status":"$(>{canary}) `>{canary}` * ~ a[$(>{canary})] %s \\\\n"}}'
        for tools in CLIENTS:
            with self.subTest(tools=tools):
                self.assert_unhealthy(self.ask(http(body.encode()), tools=tools), body)
                self.assertFalse(canary.exists())

    def test_proxies_and_the_users_configuration_are_ignored(self):
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

    def test_wrong_usage_ends_with_status_2_and_one_line(self):
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

    def test_a_missing_curl_and_wget_ends_with_status_2(self):
        ran = self.run_script(tools=())
        self.assertEqual((ran.stdout, ran.returncode), ("", 2))
        self.assertIn("neither curl nor wget", ran.stderr)

    def test_help_prints_the_usage(self):
        ran = self.run_script("-h")
        usage = "usage: check-server-health.sh [-u URL] [-t SECONDS] [--details]\n"
        self.assertEqual((ran.stdout, ran.returncode), (usage, 0))

    def test_the_default_url_is_health_on_port_8080_of_this_machine(self):
        path = self.folder / "path-curl"
        path.mkdir()
        link_commands(path, "bash")
        fake = path / "curl"
        fake.write_text(f'#!{shutil.which("bash")}\nprintf "%s\\n200" "${{@: -1}}"\n')
        fake.chmod(0o755)
        ran = self.run_script(tools=("curl",))
        self.assert_unhealthy(ran, "http://localhost:8080/health")

    def test_no_client_is_left_running_when_the_script_is_terminated(self):
        need(shutil.which("curl"), "curl")
        with Peer(*[b""] * 300, pause=0.1) as peer:
            process = subprocess.Popen(
                [SCRIPT, "-u", peer.url, "-t", "60"],
                start_new_session=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            eventually(lambda: peer.heads)
            process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE)
            eventually(lambda: not living(process.pid))
