"""docs/kubernetes.md: the manifests match their schemas, and their times fit the service."""

import unittest

import kubernetes_validate
import yaml

from app.settings import Settings
from tests.docs.pages import FILES, ROOT
from tests.docs.programs import DEFAULTS, SHUTDOWN_SECONDS


class KubernetesTest(unittest.TestCase):
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
