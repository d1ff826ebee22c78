"""What a User-Agent header reveals about a prober."""

import unittest

from app.health.prober_kinds import KINDS, kind_of, product_of


class ProberKindsTest(unittest.TestCase):
    def test_each_kind_is_recognised_by_the_beginning_of_its_header(self):
        for user_agent, product, kind in (
            ("kube-probe/1.31", "kube-probe/1.31", "kubelet"),
            ("ELB-HealthChecker/2.0", "ELB-HealthChecker/2.0", "elb"),
            ("GoogleHC/1.0", "GoogleHC/1.0", "google"),
            ("Load Balancer Agent", "Load Balancer Agent", "azure"),
            ("Edge Health Probe", "Edge Health Probe", "azure"),
            ("Envoy/HC", "Envoy/HC", "envoy"),
            ("nginx/1.27.2 (health check)", "nginx/1.27.2", "nginx"),
            ("Consul Health Check", "Consul Health Check", "consul"),
            ("Prometheus/3.0.1", "Prometheus/3.0.1", "prometheus"),
            ("curl/8.10.1", "curl/8.10.1", "curl"),
            ("Wget/1.24.5", "Wget/1.24.5", "wget"),
            ("Wget", "Wget", "wget"),
            ("Mozilla/5.0 (X11; Linux x86_64) Firefox/132.0", "Mozilla/5.0", "browser"),
            ("", None, "unnamed"),
            ("python-requests/2.32.3 and more", "python-requests/2.32.3", "other"),
            ("not kube-probe/1.31", "not", "other"),
        ):
            with self.subTest(user_agent):
                self.assertEqual((product_of(user_agent), kind_of(product_of(user_agent))), (product, kind))
                self.assertIn(kind, KINDS)

    def test_a_product_has_64_printable_characters_at_most(self):
        for user_agent, product in (
            ("x" * 9000, "x" * 64),
            ("curl/" + "9" * 100, "curl/" + "9" * 59),
            ("a\x00b\x1b[31m\x7f\x85", "a?b?[31m??"),
            ("evil\u202e\u2066\u200b\xad\ufeff\u2028\ud800\U000e0001", "evil????????"),
            ("caf\xe9\xa0x", "caf??x"),
            ("one\ttwo", "one"),
        ):
            with self.subTest(user_agent[:20]):
                self.assertEqual(product_of(user_agent), product)


if __name__ == "__main__":
    unittest.main()
