"""docs/rotation.md: each sidecar is accepted by the program that reads it. tests.container runs that of Compose."""

import copy
import shutil
import sys
from pathlib import Path

import kubernetes_validate
import yaml

from app.settings import Settings
from tests.docs.pages import FILES, PAGES, ROOT
from tests.docs.programs import Folder, run
from tests.requirement import need

PAGE = PAGES["docs/rotation.md"]
MONGO = {"MONGO_URI": "mongodb://mongo.example.org/app"}
BEFORE_SIDECARS = "1.28.0"


class RotationTest(Folder):
    def settings(self, environ):
        """The settings of a sidecar, which are accepted without a warning."""
        environ = {name: str(value) for name, value in environ.items() if not name.endswith("_FILE")} | MONGO
        settings = Settings.load(environ)
        self.assertEqual(settings.warnings(environ), [])
        return settings

    def assert_readiness_needs(self, settings, *required):
        self.assertEqual(settings.readiness_requires, required)
        self.assertEqual([each.name for each in settings.dependencies], sorted(required))
        [mongodb] = [each for each in settings.dependencies if each.name == "mongodb"]
        self.assertEqual(mongodb.failures, 3)

    def test_the_kubernetes_manifest_matches_its_schema(self):
        for manifest in yaml.safe_load_all(FILES["sidecar.yaml"]):
            kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)

    def test_before_kubernetes_1_29_the_sidecar_is_a_second_container(self):
        deployment, _ = yaml.safe_load_all(FILES["sidecar.yaml"])
        older = copy.deepcopy(deployment)
        pod = older["spec"]["template"]["spec"]
        [sidecar] = pod.pop("initContainers")
        self.assertEqual(sidecar.pop("restartPolicy"), "Always")
        pod["containers"].append(sidecar)
        kubernetes_validate.validate(older, BEFORE_SIDECARS, strict=True)

    def test_the_sidecar_of_the_pod_decides_on_its_readiness(self):
        deployment, service = yaml.safe_load_all(FILES["sidecar.yaml"])
        pod = deployment["spec"]["template"]
        [sidecar], [server] = pod["spec"]["initContainers"], pod["spec"]["containers"]
        self.assertEqual(sidecar["readinessProbe"]["httpGet"], {"path": "/health/ready", "port": "health"})
        for probe in "startup", "liveness":
            self.assertEqual(sidecar[f"{probe}Probe"]["httpGet"]["path"], "/health/live")
        settings = self.settings({each["name"]: each["value"] for each in sidecar["env"]})
        self.assert_readiness_needs(settings, "mongodb")
        self.assertEqual(sidecar["ports"], [{"name": "health", "containerPort": settings.port}])
        self.assertEqual(service["spec"]["ports"][0]["targetPort"], server["ports"][0]["name"])
        labels = [service["spec"]["selector"], deployment["spec"]["selector"]["matchLabels"]]
        self.assertEqual(labels, [pod["metadata"]["labels"]] * 2)
        drain = settings.drain_seconds + settings.shutdown_timeout_seconds + 2
        self.assertLess(drain, pod["spec"]["terminationGracePeriodSeconds"])

    def test_the_table_of_times_is_computed_from_the_manifest_and_the_promises_of_the_service(self):
        deployment, _ = yaml.safe_load_all(FILES["sidecar.yaml"])
        [sidecar] = deployment["spec"]["template"]["spec"]["initContainers"]
        [mongodb] = self.settings({each["name"]: each.get("value") for each in sidecar["env"]}).dependencies
        probe = sidecar["readinessProbe"]["periodSeconds"] * sidecar["readinessProbe"]["failureThreshold"]
        # What a fault that refuses takes beyond the age of the last result, one that hangs, and a return.
        refused, hung, back = mongodb.max_age + 1.3, mongodb.max_age + mongodb.timeout + 0.3, mongodb.max_age + 0.5
        self.assertEqual(mongodb.successes, 1)
        rows = [
            f"| refuses connections | {mongodb.failures} × {refused:g} s | {mongodb.failures * refused + probe:.1f} s |",
            f"| hangs | {mongodb.failures} × {hung:g} s | {mongodb.failures * hung + probe:.1f} s |",
            f"| answers again | {back:g} s | {back + probe:g} s |",
            f"| answers again after a hang | {back + mongodb.timeout:g} s | {back + mongodb.timeout + probe:g} s |",
        ]
        self.assertIn("\n".join(rows), PAGE.text)

    def test_the_compose_file_matches_the_compose_specification(self):
        checker = Path(sys.executable).with_name("check-jsonschema")
        self.assert_accepted(
            run(checker, "--builtin-schema", "vendor.compose-spec", self.write("compose-sidecar.yaml"))
        )
        environ = yaml.safe_load(FILES["compose-sidecar.yaml"])["services"]["server-health"]["environment"]
        self.assert_readiness_needs(self.settings(environ), "mongodb", "shop")

    def test_haproxy_accepts_the_configuration(self):
        need(shutil.which("haproxy"), "haproxy (Debian package haproxy)")
        self.assert_accepted(run("haproxy", "-c", "-f", self.write("haproxy-sidecar.cfg")))

    def test_systemd_accepts_the_drop_in_beside_the_unit_of_the_server(self):
        need(shutil.which("systemd-analyze"), "systemd-analyze (Debian package systemd)")
        unit = self.write(
            "server-health.service", FILES["server-health.service"].replace("/opt/server-health", str(ROOT))
        )
        (self.folder / "server-health.service.d").mkdir()
        drop_in = self.write("server-health.service.d/sidecar.conf", FILES["sidecar.conf"])
        server = self.write("shop.service", "[Service]\nExecStart=/bin/sleep infinity\n")
        done = run("systemd-analyze", "verify", "--man=no", unit, server)
        self.assert_accepted(done)
        for file in unit, drop_in:
            self.assertNotIn(file.name, done.stderr)  # it names what it ignores
        lines = [line.removeprefix("Environment=") for line in FILES["sidecar.conf"].splitlines()]
        environ = dict(line.split("=", 1) for line in lines if line.partition("=")[0].isupper())
        self.assert_readiness_needs(self.settings(environ), "mongodb", "shop")

    def test_systemd_starts_the_sidecar_with_the_server(self):
        need(shutil.which("systemctl"), "systemctl (Debian package systemd)")
        units = self.folder / "etc/systemd/system"
        (units / "server-health.service.d").mkdir(parents=True)
        (units / "server-health.service").write_text(FILES["server-health.service"])
        (units / "server-health.service.d/sidecar.conf").write_text(FILES["sidecar.conf"])
        (units / "shop.service").write_text("[Service]\nExecStart=/bin/sleep infinity\n")
        _, enable, _ = PAGE.commands("systemd")
        # In a folder instead of the running system, where nothing can be started.
        self.assert_accepted(run(*enable.split(), f"--root={self.folder}"))
        self.assertTrue((units / "shop.service.wants/server-health.service").is_symlink())
