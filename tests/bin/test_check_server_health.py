"""bin/check-server-health.sh under three shells with three clients, against a scripted server."""

import base64
import contextlib
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

from tests.bin.checkout import DEADLINE, ROOT, link_commands
from tests.peers.ports import free_port
from tests.peers.service import Service, eventually
from tests.peers.tcp_server import TcpServer
from tests.requirement import need

SCRIPT = ROOT / "bin/check-server-health.sh"
CLIENTS = ("curl", "wget", "busybox")
# ash, and the other commands beside it, are those of BusyBox.
MACHINES = [(shell, client) for shell in ("dash", "bash", "ash") for client in CLIENTS]

HEALTHY = (
    '{"status":"healthy","timestamp":1795464000000,"version":"1.0.0","service":"server",'
    '"dependencies":{"ai_service":"connected","mongodb":"connected"}}\n'
)
UNHEALTHY = HEALTHY.replace('"healthy"', '"unhealthy"').replace('"connected"', '"disconnected"')
TABLE = """\
the|shop 2.1 is {}
DEPENDENCY         STATUS                     FOR      LATENCY  LAST SUCCESS
ai_service         disconnected: refused      5 s      0.3 ms   3 min 5 s ago
  nothing listens on the port
search (optional)  disconnected: http_status  3 min    5.0 ms   never
mongodb            connected                  4 d 3 h  1.2 ms   0 s ago
"""
REASONS = "ai_service refused (nothing listens on the port), search (optional) http_status"
CONTROLS = '{"status":"\x1b]0;owned\x07\x9b2J\0"}\nServer is healthy\r\n\x7f'
COMMANDS = '{"status":"$(>canary) `>canary` * ~ /* a[$(>canary)] ${HOME} %s \\n \\\\"} ; >canary'
TOKEN = r"""a"b\c'd$e#f:g@h/%41"""

RESPONSE = "Server is unhealthy\nResponse: "
ERROR = "wget: server returned error: HTTP/1.1 "


def http(body, status="200 OK", header=""):
    """A whole HTTP response, as bytes."""
    body = body.encode("latin-1")
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{header}\r\n".encode() + body


UP, DEGRADED, DOWN = (TABLE.format(verdict) for verdict in ("healthy", "degraded", "unhealthy"))
DENIED = http('{"type":"about:blank","title":"Unauthorized","status":401}\n', "401 Unauthorized")
# The options, the responses, the exit status, what is printed, and what is printed with the wget of BusyBox if that
# differs: it shows nothing of an HTTP error but the status line.
CASES = [
    ("", [http(HEALTHY)], 0, "Server is healthy\n"),
    ("", [http(UNHEALTHY)], 1, RESPONSE + UNHEALTHY),
    ("", [http(UNHEALTHY, "503 No")], 1, RESPONSE + UNHEALTHY, f"{RESPONSE}{ERROR}503 No\n"),
    ("", [http(HEALTHY, "500 No")], 1, RESPONSE + HEALTHY, f"{RESPONSE}{ERROR}500 No\n"),
    ("", [http('{"x":1,"status":"healthy"}')], 1, RESPONSE + '{"x":1,"status":"healthy"}\n'),
    ("", [http("<html>healthy</html>")], 1, RESPONSE + "<html>healthy</html>\n"),
    ("", [http("")], 1, RESPONSE + "\n"),
    ("", [http(CONTROLS)], 1, RESPONSE + '{"status":"?]0;owned??2J?"} Server is healthy ?\n'),
    ("", [http(COMMANDS)], 1, RESPONSE + COMMANDS + "\n"),
    ("", [http(HEALTHY + "x" * 70000)], 1, RESPONSE + "the response of {url}/health is longer than 64 KiB\n"),
    ("-q", [http(HEALTHY)], 0, ""),
    ("-q", [http(UNHEALTHY)], 1, ""),
    ("--details", [http(UP)], 0, UP),
    ("--details", [http(DEGRADED)], 0, DEGRADED),
    ("--details", [http(DOWN)], 1, DOWN),
    ("--details", [http(DOWN, "503 No")], 1, DOWN, f"{RESPONSE}{ERROR}503 No\n"),
    ("--details", [http(HEALTHY)], 0, "Server is healthy\n"),  # version 1.0.0 has no table
    ("--details", [DENIED], 2, ""),
    ("--details", [http("", "404 No")], 2, ""),
    ("--nagios", [http(UP)], 0, f"OK: the?shop 2.1 is healthy: {REASONS}\n"),
    ("--nagios", [http(DEGRADED)], 1, f"WARNING: the?shop 2.1 is degraded: {REASONS}\n"),
    ("--nagios", [http(DOWN)], 2, f"CRITICAL: the?shop 2.1 is unhealthy: {REASONS}\n"),
    ("--nagios", [http(UNHEALTHY)], 2, "CRITICAL: server is unhealthy: ai_service, mongodb\n"),
    ("--nagios", [DENIED, http(HEALTHY)], 0, "OK: server is healthy\n"),
    ("--nagios", [DENIED, http(UNHEALTHY)], 2, "CRITICAL: server is unhealthy: ai_service, mongodb\n"),
    ("--nagios", [http("", "502 No")], 2, "CRITICAL: {url}/health/details: HTTP 502\n"),
    ("--nagios", [http("", "404 No")], 3, "UNKNOWN: {url}/health/details is another service: HTTP 404\n"),
    ("--nagios", [http("Hello")], 3, "UNKNOWN: {url}/health/details is another service: HTTP 200\n"),
]


class Peer(TcpServer):
    """Sends the n-th client the n-th response: bytes, or pieces of it 50 ms apart. Keeps the heads of the requests."""

    def __init__(self, *responses):
        self.heads = []
        self._responses = responses
        super().__init__()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def serve(self, sock):
        head = b""
        while b"\r\n\r\n" not in head and (data := sock.recv(65536)):
            head += data
        response = self._responses[len(self.heads)]
        self.heads.append(head.decode())
        if isinstance(response, bytes):
            sock.sendall(response)
        else:
            for piece in response:
                sock.sendall(piece)
                self.ended.wait(0.05)
        sock.shutdown(socket.SHUT_WR)
        self.ignore(sock)  # closing with something unread would be a reset


def command_lines():
    """What everybody on this machine can see of the running processes."""
    lines = []
    for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            lines.append(file.read_bytes().decode(errors="replace"))
    return "\n".join(lines)


class CheckServerHealthTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.home = self.folder / "home"
        self.home.mkdir()

    def command(self, shell="dash", *clients):
        """The command that starts the script, with a PATH that contains only what it requires and these clients."""
        for name in (*clients, *(["busybox"] if shell == "ash" else [shell])):
            need(shutil.which(name), name)
        path = self.folder / "-".join((shell, *clients))
        if not path.exists():
            path.mkdir()
            tools = ["awk", "head", "od", "sed", "timeout", "tr"]
            if shell == "ash":
                for name in ("ash", *tools):
                    (path / name).symlink_to(shutil.which("busybox"))
            else:
                link_commands(path, shell, *tools)
            for client in clients:
                (path / client.replace("busybox", "wget")).symlink_to(shutil.which(client))
        return {"args": [path / shell, SCRIPT], "env": {"PATH": str(path), "HOME": str(self.home)}}

    def run_script(self, *options, machine=("dash", "curl"), **environment):
        how = self.command(*machine)
        return subprocess.run(
            how["args"] + list(options),
            env=how["env"] | environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )

    def ask(self, *responses, options="", machine=("dash", "curl"), **environment):
        """Run the script against a server with these responses; `heads` are then the heads of its requests."""
        with Peer(*responses) as peer:
            self.heads, self.url = peer.heads, peer.url
            return self.run_script("-u", peer.url, *options.split(), machine=machine, **environment)

    def test_every_response_is_reported_alike_under_each_shell_with_each_client(self):
        for machine in MACHINES:
            for number, (options, responses, status, printed, *with_busybox) in enumerate(CASES):
                with self.subTest(machine=machine, options=options, case=number):
                    ran = self.ask(*responses, options=options, machine=machine)
                    if with_busybox and "busybox" in machine:
                        [printed] = with_busybox
                    self.assertEqual((ran.stdout, ran.returncode), (printed.replace("{url}", self.url), status))
                    self.assertEqual(bool(ran.stderr), status == 2 and options != "--nagios", ran.stderr)
                    self.assertEqual(len(self.heads), len(responses))
        self.assertEqual(list(self.home.iterdir()), [])  # no command of a response was executed

    def test_the_table_of_the_service_itself_is_shown_and_understood(self):
        with Service(SERVICE_NAME="shop") as service:
            eventually(lambda: b"pending" not in service.get("/health/details").body)
            ran = self.run_script("--details", SERVER_HEALTH_URL=service.url)
            self.assertRegex(ran.stdout, r"\Ashop 1\.0\.0 is unhealthy\nDEPENDENCY ")
            self.assertEqual(ran.returncode, 1)
            ran = self.run_script("--nagios", SERVER_HEALTH_URL=service.url)
            expected = r"\ACRITICAL: shop 1\.0\.0 is unhealthy: ai_service refused \(.+\), mongodb refused \(.+\)\n\Z"
            self.assertRegex(ran.stdout, expected)
            self.assertEqual(ran.returncode, 2)

    def test_a_redirect_is_not_followed_by_curl_and_wget(self):
        for client in ("curl", "wget"):
            ran = self.ask(http(HEALTHY, "302 Found", "Location: /x\r\n"), machine=("dash", client))
            self.assertTrue(ran.stdout.startswith(RESPONSE), ran.stdout)
            self.assertEqual((ran.returncode, len(self.heads)), (1, 1))

    def test_an_unreachable_server_is_reported_in_words_with_its_url(self):
        url = f"http://127.0.0.1:{free_port()}"
        for machine in MACHINES:
            with self.subTest(machine=machine):
                ran = self.run_script("-u", url, machine=machine)
                self.assertRegex(ran.stdout, rf"\A{RESPONSE}cannot reach {url}/health: (curl|wget): .+\n\Z")
                self.assertEqual(ran.returncode, 1)
                ran = self.run_script("-u", url, "--nagios", machine=machine)
                self.assertRegex(ran.stdout, rf"\ACRITICAL: cannot reach {url}/health/details: .+\n\Z")
                self.assertEqual(ran.returncode, 2)

    def test_a_response_that_ends_early_is_unhealthy(self):
        for client in CLIENTS:
            with self.subTest(client):
                ran = self.ask(http(HEALTHY + " " * 100)[:-100], machine=("dash", client))
                self.assertEqual((ran.stdout.splitlines()[0], ran.returncode), ("Server is unhealthy", 1))

    def test_the_time_limit_covers_a_response_that_stalls_or_drips(self):
        head = b"HTTP/1.1 200 OK\r\n"
        responses = {
            "mute": [b""] * 100,
            "dripping head": [head, *[b"X: y\r\n"] * 100],
            "dripping body": [head + b"\r\n", *[b" "] * 100],
        }
        for machine in (*(("dash", client) for client in CLIENTS), ("ash", "busybox")):
            for name, pieces in responses.items():
                with self.subTest(machine=machine, response=name):
                    began = time.monotonic()
                    ran = self.ask(pieces, options="-t 0.3", machine=machine)
                    self.assertLess(time.monotonic() - began, 3)
                    printed = f"{RESPONSE}no response from {self.url}/health within 0.3 s\n"
                    self.assertEqual((ran.stdout, ran.returncode), (printed, 1))

    def test_the_url_is_a_base_or_a_health_route_from_the_option_or_the_environment(self):
        for url, route, base in (
            ("{}", "/health", ""),
            ("{}/", "/health", ""),
            ("{}/health", "/health", ""),
            ("{}/health/", "/health", ""),
            ("{}/healthz", "/healthz", ""),
            ("{}/health/ready", "/health/ready", ""),
            ("{}/health/details", "/health/details", ""),
            ("{}/a/health-b", "/a/health-b/health", "/a/health-b"),
            ("{}/a/health/healthy", "/a/health/healthy", "/a"),
        ):
            with self.subTest(url), Peer(http(HEALTHY), http(UP)) as peer:
                self.run_script("-u", url.format(peer.url))
                self.run_script("--details", SERVER_HEALTH_URL=url.format(peer.url))
                routes = [head.split()[1] for head in peer.heads]
                self.assertEqual(routes, [route, f"{base}/health/details"])

    def test_an_interim_response_is_skipped(self):
        ran = self.ask(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + http(HEALTHY))
        self.assertEqual(ran.stdout, "Server is healthy\n")

    def test_the_good_answers_of_the_other_health_routes_are_healthy(self):
        for body in ('{"status":"alive"}\n', '{"status":"ready"}\n', '{"status":"connected","reason":null}\n'):
            self.assertEqual(self.ask(http(body)).stdout, "Server is healthy\n")

    def test_without_a_url_the_port_of_this_machine_is_asked(self):
        with Peer(http(HEALTHY)) as peer:
            self.assertEqual(self.run_script(PORT=str(peer.port)).returncode, 0)
            self.assertIn(f"Host: localhost:{peer.port}\r\n", peer.heads[0])

    def test_the_details_are_requested_as_text(self):
        for client in CLIENTS:
            self.ask(http(UP), options="--details", machine=("dash", client))
            self.assertIn("Accept: text/plain\r\n", self.heads[0])

    def test_the_token_is_sent_with_the_details_only_and_is_in_no_command_line(self):
        basic = base64.b64encode(f"token:{TOKEN}".encode()).decode()
        for client, credentials in ("curl", f"Bearer {TOKEN}"), ("wget", f"Basic {basic}"):
            with self.subTest(client), Peer([b""] * 600, http(HEALTHY)) as peer:
                how = self.command("dash", client)
                with subprocess.Popen(
                    [*how["args"], "-u", peer.url, "-t", "20", "--details"],
                    env=how["env"] | {"STATUS_TOKEN": TOKEN},
                    stdout=subprocess.DEVNULL,
                ):
                    eventually(lambda: peer.heads, DEADLINE)
                    arguments = command_lines()
                    peer.ended.set()
                self.assertIn(peer.url, arguments)
                self.assertNotIn(TOKEN, arguments)
                self.assertNotIn(basic, arguments)
                self.assertIn(f"\r\nAuthorization: {credentials}\r\n", peer.heads[0])
                self.run_script("-u", peer.url, machine=("dash", client), STATUS_TOKEN=TOKEN)
                self.assertNotIn("Authorization", peer.heads[1])

    def test_the_token_is_read_from_a_file_too(self):
        file = self.folder / "token"
        for ending in ("", "\n", "\r\n"):
            file.write_bytes(f"{TOKEN}{ending}".encode())
            self.ask(http(UP), options="--details", STATUS_TOKEN_FILE=str(file))
            self.assertIn(f"\r\nAuthorization: Bearer {TOKEN}\r\n", self.heads[0])
        self.ask(http(HEALTHY), STATUS_TOKEN_FILE=str(file))
        self.assertNotIn("Authorization", self.heads[0])

    def test_a_file_of_the_token_that_cannot_be_read_is_wrong_usage(self):
        ran = self.ask(options="--details", STATUS_TOKEN_FILE=str(self.folder / "none"))
        self.assertEqual((ran.stdout, ran.returncode, self.heads), ("", 2, []))
        self.assertRegex(ran.stderr, r"\A.*cannot read STATUS_TOKEN_FILE, .+none\n\Z")
        ran = self.ask(options="--nagios", STATUS_TOKEN_FILE=str(self.folder / "none"))
        self.assertRegex(ran.stdout, r"\AUNKNOWN: cannot read .+\n\Z")
        self.assertEqual((ran.returncode, ran.stderr), (3, ""))

    def test_a_refused_token_is_unknown_to_nagios(self):
        ran = self.ask(DENIED, options="--nagios", STATUS_TOKEN="wrong")
        self.assertEqual(ran.stdout[:8], "UNKNOWN:")
        self.assertEqual((ran.returncode, len(self.heads)), (3, 1))

    def test_the_token_is_never_given_to_the_wget_of_busybox(self):
        ran = self.ask(options="--details", machine=("ash", "busybox"), STATUS_TOKEN="t")
        self.assertEqual((ran.returncode, ran.stdout, self.heads), (2, "", []))
        ran = self.ask(DENIED, http(HEALTHY), options="--nagios", machine=("ash", "busybox"), STATUS_TOKEN="t")
        self.assertEqual((ran.returncode, ran.stdout), (0, "OK: server is healthy\n"))

    def test_proxies_and_the_users_configuration_are_ignored(self):
        (self.home / ".curlrc").write_text("user-agent = x\nproxy = http://127.0.0.1:9\nfail\n")
        (self.home / ".wgetrc").write_text("http_proxy = http://127.0.0.1:9\nuse_proxy = on\n")
        (self.home / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
        before = sorted(self.home.iterdir())
        proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
        for client in CLIENTS:
            ran = self.ask(http(HEALTHY), machine=("dash", client), **proxies)
            self.assertEqual(ran.stdout, "Server is healthy\n", client)
            self.assertNotIn("Authorization", self.heads[0])
        self.assertEqual(sorted(self.home.iterdir()), before)

    def test_jq_makes_no_difference(self):
        for case in CASES[:3]:
            ran = self.ask(*case[1], machine=("dash", "curl", "jq"))
            self.assertEqual((ran.stdout, ran.returncode), (case[3], case[2]))

    def test_wrong_usage_ends_with_status_2_or_unknown_and_one_line(self):
        seconds = ["0", "0.0", "0.0001", "-1", "5s", "nan", "", "1e3", "1.2.3", ".", "5.", "1234567890"]
        urls = [
            "",
            "localhost:8080",
            "-o/tmp/x",
            "file:///etc/passwd",
            "http://a b",
            "http://",
            "http://é",
            "http:///a",
        ]
        for options in (
            *(["-t", value] for value in seconds),
            *(["-u", value] for value in urls),
            *(["-t"], ["-u"], ["-x"], ["--detail"], ["--details=1"], ["--", "x"], ["http://127.0.0.1:9/health"]),
        ):
            for shell in ("dash", "bash", "ash"):
                with self.subTest(options=options, shell=shell):
                    ran = self.run_script(*options, machine=(shell, "curl"))
                    self.assertEqual((ran.stdout, ran.returncode), ("", 2))
                    self.assertRegex(ran.stderr, r"\Acheck-server-health\.sh: .+\n\Z")
            ran = self.run_script("--nagios", *options)
            self.assertEqual((ran.stderr, ran.returncode), ("", 3))
            self.assertRegex(ran.stdout, r"\AUNKNOWN: .+\n\Z")

    def test_a_token_that_would_inject_a_header_is_wrong_usage(self):
        ran = self.ask(options="--details", STATUS_TOKEN="a\r\nX-Evil: 1")
        self.assertEqual((ran.stdout, ran.returncode, self.heads), ("", 2, []))

    def test_a_missing_client_ends_with_status_2(self):
        ran = self.run_script(machine=("dash",))
        self.assertEqual((ran.stdout, ran.returncode), ("", 2))
        self.assertIn("must be installed", ran.stderr)

    def test_help_names_every_option_and_exit_status(self):
        for option in ("-h", "--help"):
            ran = self.run_script(option)
            self.assertEqual((ran.stderr, ran.returncode), ("", 0))
            for word in (
                "usage:",
                "-u URL",
                "-t SECONDS",
                "-q",
                "--details",
                "--nagios",
                "Exit status: 0",
                "3 UNKNOWN",
            ):
                self.assertIn(word, ran.stdout)
