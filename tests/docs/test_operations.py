"""docs/operations.md is complete, and every configuration on it is accepted by the program that reads it."""

import contextlib
import http.client
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import kubernetes_validate
import yaml
from websockets.sync.client import connect

from app.checks.check import CheckConfig, perform
from app.health.meanings import MEANINGS
from app.health.report import Identity
from app.health.timing import Timing
from app.health.watch import HealthWatch
from app.net.reason import Reason
from app.net.resolver import Resolver
from app.setting_dependencies import OPTIONS
from app.settings import Settings
from tests.docs.snippets import DOCS, FILES, PAGE, ROOT, anchors, first_column, section
from tests.docs.test_alerts_and_dashboard import alerts, measured, promtool
from tests.fakes import dependency
from tests.peers.certificates import server_context
from tests.peers.mongo import free_port
from tests.peers.service import Answer, Service, eventually
from tests.peers.tcp_server import TcpServer
from tests.requirement import need

DEFAULTS = Settings.load({})
SHUTDOWN_SECONDS = DEFAULTS.drain_seconds + DEFAULTS.shutdown_timeout_seconds + 2


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


def get(port, path):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())


class Folder(unittest.TestCase):
    """A test with a folder for the page's files."""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def write(self, name, contents=None):
        path = self.folder / name
        path.write_text(FILES[name] if contents is None else contents)
        return path

    def assert_accepted(self, done):
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class PageTest(unittest.TestCase):
    def test_every_reason_is_explained_and_no_other(self):
        self.assertEqual(first_column("Reasons"), [reason.value for reason in Reason])
        rows = [f"| `{reason}` | {meaning.means} | {meaning.look_at} |" for reason, meaning in MEANINGS.items()]
        self.assertIn("\n".join(rows), section("Reasons"))

    def test_every_alert_is_explained_and_no_other(self):
        self.assertEqual(first_column("Alerts"), list(alerts()))

    def test_every_metric_is_explained_with_its_labels(self):
        explained = {}
        for words in first_column("Metrics"):
            name, _, labels = words.rstrip("}").partition("{")
            explained[name] = set(labels.split(",")) - {""}
        known = {}
        for name, labels in measured().items():
            if name.startswith("server_health_"):
                family = re.sub("_(bucket|count|sum)$", "", name)
                known.setdefault(family, set()).update(labels - {"job", "instance", "le"})
        self.assertEqual(explained, known)

    def test_the_target_of_every_link_exists(self):
        for link in re.findall(r"\]\(([^)]+)\)", PAGE):
            file, _, anchor = link.partition("#")
            with self.subTest(link):
                if file:
                    self.assertTrue((DOCS / file).exists())
                else:
                    self.assertIn(anchor, anchors())

    def test_every_setting_and_file_that_is_named_exists(self):
        settings = {name.upper() for name in Settings.model_fields} | {"HEALTHCHECK_PATH", *OPTIONS}
        named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", PAGE))
        self.assertLessEqual(named, settings)
        for file in re.findall(r"(?:bin|app)/[\w./-]*\w", PAGE.replace(FILES["memcached.py"], "")):
            self.assertTrue((ROOT / file).exists(), file)

    def test_every_file_on_the_page_is_tested_here(self):
        tests = Path(__file__).read_text()
        for name in FILES:
            self.assertIn(f'"{name}"', tests)


class ContainersTest(Folder):
    def test_the_compose_and_swarm_files_match_the_compose_specification(self):
        checker = Path(sys.executable).with_name("check-jsonschema")
        for name in ("compose.yaml", "stack.yaml"):
            self.assert_accepted(run(checker, "--builtin-schema", "vendor.compose-spec", self.write(name)))

    def test_the_docker_grace_periods_are_longer_than_shutting_down_takes(self):
        for name in ("compose.yaml", "stack.yaml"):
            service = yaml.safe_load(FILES[name])["services"]["server-health"]
            self.assertGreater(int(service["stop_grace_period"].rstrip("s")), SHUTDOWN_SECONDS)
        [seconds] = re.findall(r"--stop-timeout (\d+)", section("Docker"))
        self.assertGreater(int(seconds), SHUTDOWN_SECONDS)

    def test_the_compose_file_accepts_exactly_the_variables_that_its_head_names(self):
        text = (ROOT / "docker-compose.yml").read_text()
        head = text.partition("\nname:")[0]
        self.assertEqual(set(re.findall(r"\$\{([A-Z_]+)", text)), set(re.findall(r"[A-Z]+_[A-Z_]+", head)))
        environment = yaml.safe_load(text)["services"]["server"]["environment"]
        self.assertEqual(environment["STATUS_TOKEN"], "${STATUS_TOKEN:-}")

    def test_swarm_probes_liveness(self):
        service = yaml.safe_load(FILES["stack.yaml"])["services"]["server-health"]
        self.assertEqual(service["environment"]["HEALTHCHECK_PATH"], "/health/live")

    def test_the_kubernetes_manifests_match_their_schema(self):
        newest = kubernetes_validate.latest_version()
        for manifest in yaml.safe_load_all(FILES["kubernetes.yaml"]):
            with self.subTest(manifest["kind"]):
                kubernetes_validate.validate(manifest, newest, strict=True)

    def test_kubernetes_probes_the_right_routes_and_waits_for_the_shutdown(self):
        deployment, service, budget = yaml.safe_load_all(FILES["kubernetes.yaml"])
        pod = deployment["spec"]["template"]
        [container] = pod["spec"]["containers"]
        paths = [container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")]
        self.assertEqual(paths, ["/health/live", "/health/live", "/health/ready"])
        self.assertNotIn("lifecycle", container)
        self.assertGreater(pod["spec"]["terminationGracePeriodSeconds"], SHUTDOWN_SECONDS)
        self.assertLess(container["readinessProbe"]["periodSeconds"], DEFAULTS.drain_seconds)
        labels = pod["metadata"]["labels"]
        selectors = [
            deployment["spec"]["selector"]["matchLabels"],
            service["spec"]["selector"],
            budget["spec"]["selector"]["matchLabels"],
            pod["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
        ]
        self.assertEqual(selectors, [labels] * 4)
        user = pod["spec"]["securityContext"]["runAsUser"]
        self.assertIn(f"USER {user}:{user}", (ROOT / "Dockerfile").read_text())
        self.assertLessEqual({each["name"] for each in container["env"]}, {n.upper() for n in Settings.model_fields})


class ProgramsTest(Folder):
    def test_haproxy_accepts_the_configuration(self):
        need(shutil.which("haproxy"), "haproxy (Debian package haproxy)")
        self.assert_accepted(run("haproxy", "-c", "-f", self.write("haproxy.cfg")))

    def test_nginx_accepts_the_configuration(self):
        need(shutil.which("nginx"), "nginx (Debian package nginx-light)")
        self.assert_accepted(run("nginx", "-t", "-c", self.nginx_conf(FILES["nginx.conf"])))

    def test_promtool_accepts_the_prometheus_configuration(self):
        shutil.copy(DOCS / "alerts.yml", self.folder)
        self.write("server-health.token", "secret")
        self.assert_accepted(promtool("check", "config", self.write("prometheus.yml")))

    def test_systemd_accepts_the_unit(self):
        need(shutil.which("systemd-analyze"), "systemd-analyze (Debian package systemd)")
        unit = FILES["server-health.service"]
        self.assertIn("/opt/server-health/bin/serve", unit)
        unit = self.write("server-health.service", unit.replace("/opt/server-health", str(ROOT)))
        done = run("systemd-analyze", "verify", "--man=no", unit)
        self.assert_accepted(done)
        self.assertNotIn(unit.name, done.stderr)  # it names what it ignores
        [seconds] = re.findall(r"TimeoutStopSec=(\d+)", FILES["server-health.service"])
        self.assertGreater(int(seconds), SHUTDOWN_SECONDS)

    def test_probes_and_the_feed_pass_through_nginx(self):
        need(shutil.which("nginx"), "nginx (Debian package nginx-light)")
        port = free_port()
        with Service() as service:
            config = FILES["nginx.conf"].replace("listen 8443 ssl", f"listen 127.0.0.1:{port}")
            config = self.nginx_conf(self.one_replica_gone(re.sub(r"(?m)^ *ssl_.*\n", "", config), service))
            self.assert_passes(port, "nginx", "-c", config)

    def test_probes_and_the_feed_pass_through_haproxy(self):
        need(shutil.which("haproxy"), "haproxy (Debian package haproxy)")
        port = free_port()
        with Service() as service:
            config = FILES["haproxy.cfg"].replace("bind :8088", f"bind 127.0.0.1:{port}")
            config = self.write("haproxy.cfg", self.one_replica_gone(config, service))
            self.assert_passes(port, "haproxy", "-q", "-f", config)

    def one_replica_gone(self, config, service):
        """The page's configuration with `service` as its first replica and nothing at its second."""
        self.assertIn("127.0.0.1:8081", config)
        config = config.replace("127.0.0.1:8081", "127.0.0.1:1")
        return config.replace("127.0.0.1:8080", f"127.0.0.1:{service.port}")

    def nginx_conf(self, contents):
        """A main nginx.conf that includes `contents` as from conf.d and keeps all files in the test's folder."""
        server_context(self.folder)
        contents = contents.replace("/etc/nginx/tls/health.example.org.pem", str(self.folder / "certificate.pem"))
        contents = contents.replace("/etc/nginx/tls/health.example.org.key", str(self.folder / "key.pem"))
        (self.folder / "temp").mkdir()
        temp = "".join(
            f"{each}_temp_path {self.folder}/temp/{each};"
            for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        included = self.write("nginx.conf", contents).rename(self.folder / "included.conf")
        return self.write(
            "nginx.conf",
            (
                f"daemon off; worker_processes 1; pid {self.folder}/pid; error_log stderr warn; events {{}}\n"
                f"http {{ access_log off; {temp} include {included}; }}\n"
            ),
        )

    def assert_passes(self, port, *command):
        """/health and the feed work through the proxy that `command` starts in front of an unhealthy service."""
        proxy = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:

            def passes():
                with contextlib.suppress(OSError):
                    return get(port, "/health").status == 503

            eventually(passes, 10)
            for _ in range(4):
                self.assertIn(b'"unhealthy"', get(port, "/health").body)
            with connect(f"ws://127.0.0.1:{port}/ws", origin=f"http://127.0.0.1:{port}", proxy=None) as feed:
                self.assertIn('"type":"health"', feed.recv(timeout=5))
        finally:
            proxy.terminate()
            proxy.communicate(timeout=10)


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

    def test_the_service_runs_the_check_on_the_page_like_its_own(self):
        timing = Timing(interval=0.1, max_age=0.1, probe_wait=0.1, timeout=0.3)
        watched = [(dependency("cache", timing=timing), self.check)]
        watch = HealthWatch(Identity("server", "1"), watched, fresh_waiters=1, fresh_seconds=1.0)
        watch.start()
        self.addCleanup(watch.stop)
        self.assertEqual(watch.probe_fresh().health(1)["dependencies"], {"cache": "connected"})
        self.memcached.refuse()
        eventually(lambda: watch.probe().missing(["cache"]))
