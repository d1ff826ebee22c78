"""docs/kubernetes.md: the manifests match their schemas and each other, and their times fit the service."""

import contextlib
import http.client
import re
import shutil
import socket
import unittest

import jsonschema
import kubernetes_validate
import yaml

from app.health.checker import LONGEST_CHECK_SECONDS
from app.settings import Settings
from tests.docs.pages import FILES, PAGES, ROOT
from tests.docs.programs import DEFAULTS, SHUTDOWN_SECONDS, Folder, run
from tests.docs.test_alerts_and_dashboard import promtool
from tests.peers.service import Service

PAGE = PAGES["docs/kubernetes.md"]
NEWEST = kubernetes_validate.latest_version()
SECRET = "/run/secrets/server-health/"
# The part that the page uses of the schema of PodMonitor, version 0.91.0 of the Prometheus Operator.
SELECTOR = {"matchLabels": {"type": "object", "additionalProperties": {"type": "string"}}}
KEY = {"name": {"type": "string"}, "key": {"type": "string"}, "optional": {"type": "boolean"}}
DURATION = r"^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$"


def of(properties, *required):
    """The schema of an object with these properties and no other."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


ENDPOINT = of(
    {
        "port": {"type": "string"},
        "path": {"type": "string"},
        "interval": {"type": "string", "pattern": DURATION},
        "authorization": of({"type": {"type": "string"}, "credentials": of(KEY, "key")}),
    }
)
POD_MONITOR = of(
    {
        "apiVersion": {"const": "monitoring.coreos.com/v1"},
        "kind": {"const": "PodMonitor"},
        "metadata": of({"name": {"type": "string"}}, "name"),
        "spec": of(
            {
                "selector": of(SELECTOR),
                "jobLabel": {"type": "string"},
                "podMetricsEndpoints": {"type": "array", "items": ENDPOINT},
            },
            "selector",
        ),
    },
    "apiVersion",
    "kind",
    "metadata",
    "spec",
)


def probe_times(container):
    """For each probe of a container: its period in seconds, and the failures in a row that count."""
    defaults = {"periodSeconds": 10, "failureThreshold": 3}  # those of Kubernetes
    probes = {name: container[f"{name}Probe"] for name in ("startup", "liveness", "readiness")}
    return {name: [probe.get(key, value) for key, value in defaults.items()] for name, probe in probes.items()}


class ManifestsTest(Folder):
    def setUp(self):
        super().setUp()
        self.deployment, self.service, self.budget = yaml.safe_load_all(FILES["kubernetes.yaml"])
        self.monitor, self.policy = (yaml.safe_load(FILES[name]) for name in ("podmonitor.yaml", "networkpolicy.yaml"))
        self.pod = self.deployment["spec"]["template"]
        [self.container] = self.pod["spec"]["containers"]
        self.env = {each["name"]: each["value"] for each in self.container["env"]}

    def test_the_manifests_match_their_schemas(self):
        for manifest in (self.deployment, self.service, self.budget, self.policy):
            with self.subTest(manifest["kind"]):
                kubernetes_validate.validate(manifest, NEWEST, strict=True)
        jsonschema.validate(self.monitor, POD_MONITOR)

    def test_all_manifests_select_the_pods_of_the_deployment(self):
        selectors = [
            self.deployment["spec"]["selector"]["matchLabels"],
            self.service["spec"]["selector"],
            self.budget["spec"]["selector"]["matchLabels"],
            self.pod["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
            self.monitor["spec"]["selector"]["matchLabels"],
            self.policy["spec"]["podSelector"]["matchLabels"],
        ]
        self.assertEqual(selectors, [self.pod["metadata"]["labels"]] * len(selectors))
        self.assertIn(self.monitor["spec"]["jobLabel"], self.pod["metadata"]["labels"])

    def test_all_manifests_name_the_port_of_the_container(self):
        [port] = self.container["ports"]
        probes = [self.container[f"{probe}Probe"]["httpGet"]["port"] for probe in ("startup", "liveness", "readiness")]
        others = [
            self.service["spec"]["ports"][0]["targetPort"],
            self.monitor["spec"]["podMetricsEndpoints"][0]["port"],
            self.policy["spec"]["ingress"][0]["ports"][0]["port"],
        ]
        self.assertEqual({*probes, *others}, {port["name"]})
        self.assertEqual(port["containerPort"], DEFAULTS.port)

    def test_the_probes_ask_the_right_routes(self):
        paths = [self.container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")]
        self.assertEqual(paths, ["/health/live", "/health/live", "/health/ready"])
        self.assertNotIn("lifecycle", self.container)

    def test_the_pod_runs_as_the_user_of_the_image_which_may_read_the_secrets(self):
        context = self.pod["spec"]["securityContext"]
        self.assertIn(f"USER {context['runAsUser']}:{context['runAsGroup']}", (ROOT / "Dockerfile").read_text())
        self.assertEqual(context["fsGroup"], context["runAsGroup"])
        [mode] = [each["secret"]["defaultMode"] for each in self.pod["spec"]["volumes"] if "secret" in each]
        self.assertEqual(oct(mode), "0o440")

    def test_the_policy_lets_the_dependencies_and_dns_through(self):
        allowed = {rule["port"] for each in self.policy["spec"]["egress"] for rule in each["ports"]}
        ai_port = int(self.env["AI_SERVICE_URL"].rpartition(":")[2])
        self.assertEqual(allowed, {53, 27017, ai_port})

    def test_the_settings_are_accepted_with_the_secret_that_the_command_makes(self):
        create = PAGE.commands("Secret")[0]
        keys = dict(re.findall(r"--from-literal=([\w-]+)=(\S+)", create))
        for key, value in keys.items():
            self.write(key, value.strip("'\""))
        files = {each.removeprefix(SECRET) for each in self.env.values() if each.startswith(SECRET)}
        self.assertEqual(files, keys.keys())
        environ = {name: value.replace(SECRET, f"{self.folder}/") for name, value in self.env.items()}
        settings = Settings.load(environ)
        self.assertEqual(settings.mongo_uri.get_secret_value(), keys["mongo-uri"].strip("'"))
        self.assertEqual(settings.warnings(environ), [])
        names = [each["secret"]["secretName"] for each in self.pod["spec"]["volumes"] if "secret" in each]
        [credentials] = [each["authorization"]["credentials"] for each in self.monitor["spec"]["podMetricsEndpoints"]]
        [created] = re.findall(r"create secret generic (\S+)", create)
        self.assertEqual({*names, credentials["name"]}, {created})
        self.assertIn(credentials["key"], keys)

    # Ubuntu has no package of it, so that it is not required in CI.
    @unittest.skipUnless(shutil.which("kubectl"), "no kubectl")
    def test_kubectl_makes_the_secret(self):
        made = run("bash", "-c", f"{PAGE.commands('Secret')[0]} --dry-run=client --output yaml")
        self.assert_accepted(made)
        secret = yaml.safe_load(made.stdout)
        self.assertEqual(secret["data"].keys(), {"mongo-uri", "status-token"})
        kubernetes_validate.validate(secret, NEWEST)

    def test_the_commands_name_the_file_and_the_deployment(self):
        _, apply, status, script = PAGE.commands("Secret")
        self.assertIn(apply.split()[-1], FILES)
        name = f"deployment/{self.deployment['metadata']['name']}"
        self.assertEqual(status.split()[-1], name)
        self.assertIn(f"exec {name} -- check-server-health.sh", script)

    def test_the_rules_for_prometheus_are_the_spec_of_a_prometheusrule(self):
        rules = yaml.safe_load((ROOT / "docs/alerts.yml").read_text())
        self.assertEqual(rules.keys(), {"groups"})
        self.assert_accepted(promtool("check", "rules", ROOT / "docs/alerts.yml"))

    def test_the_table_of_times_is_computed_from_the_manifest_and_the_defaults(self):
        times = probe_times(self.container)
        grace = self.pod["spec"]["terminationGracePeriodSeconds"]
        drain, shutdown = DEFAULTS.drain_seconds, DEFAULTS.shutdown_timeout_seconds
        (start, starts), (live, lives), (ready, readies) = times.values()
        stuck = f"{LONGEST_CHECK_SECONDS:g}"
        rows = [
            ("the start may take", f"{start} × {starts}", start * starts),
            (
                "SIGTERM, until the readiness probe fails",
                f"{ready} × {readies}, below `DRAIN_SECONDS`",
                ready * readies,
            ),
            ("SIGTERM, until the process has ended", f"{drain:g} + {shutdown:g} + 2, below {grace}", SHUTDOWN_SECONDS),
            ("a thread has ended, until the restart", f"{live} × {lives}", live * lives),
            (
                "a check never returns, until the restart",
                f"{stuck} + {live} × {lives}",
                LONGEST_CHECK_SECONDS + live * lives,
            ),
        ]
        expected = "\n".join(f"| {what} | {how} | {seconds:g} |" for what, how, seconds in rows)
        self.assertIn(f"\n{expected}\n", PAGE.section("Times"))
        self.assertLessEqual(ready * readies, drain)
        self.assertLess(SHUTDOWN_SECONDS, grace)

    def test_with_the_host_on_the_page_the_service_listens_on_ipv6_and_ipv4(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError as error:
            self.skipTest(f"no IPv6: {error}")
        [variable] = yaml.safe_load(PAGE.block("IPv6", "yaml"))
        with Service(**{variable["name"]: variable["value"]}) as service:
            for host in "::1", "127.0.0.1":
                with contextlib.closing(http.client.HTTPConnection(host, service.port, timeout=5)) as connection:
                    connection.request("GET", "/health/live")
                    self.assertEqual(connection.getresponse().status, 200)
