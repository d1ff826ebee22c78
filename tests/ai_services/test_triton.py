"""Triton, whose server is in a package of NVIDIA's, without a model and with one that it cannot load."""

import platform

from tests.ai_services.server import RealServerTest, installed
from tests.requirement import need

# The Python part of the package, and what it requires, is not used.
REQUIREMENTS = ("--no-deps", "nvidia-pytriton==0.7.0")


class TritonTest(RealServerTest):
    def serve(self, *options):
        need(platform.machine() == "x86_64", "an x86-64 processor, for Triton")
        environment = installed("triton", *REQUIREMENTS)
        [binary] = environment.glob("lib/python*/site-packages/pytriton/tritonserver/bin/tritonserver")
        (self.folder / "models").mkdir()
        (self.folder / "models/broken").mkdir()
        (self.folder / "models/broken/config.pbtxt").write_text('backend: "none"\n')
        http = ("--http-address=127.0.0.1", f"--http-port={self.port}", "--allow-grpc=false", "--allow-metrics=false")
        self.start(environment, binary.relative_to(environment), "--model-repository=models", *http, *options)

    def test_without_a_model_it_is_ready(self):
        self.serve("--model-control-mode=explicit")
        self.assert_answers("Triton", "ready")

    def test_with_a_model_that_could_not_be_loaded_it_is_not_ready(self):
        self.serve("--exit-on-error=false")
        self.assert_answers("Triton", "a model could not be loaded")

    def test_without_strict_readiness_it_is_ready_with_a_model_that_could_not_be_loaded(self):
        self.serve("--exit-on-error=false", "--strict-readiness=false")
        self.assert_answers("Triton", "ready")

    def test_a_restricted_route_requires_its_header(self):
        self.serve("--model-control-mode=explicit", "--http-restricted-api=health:x-key=secret")
        self.assert_answers("Triton", "it requires a header")
        self.assertEqual(self.get("/v2/health/ready", **{"x-key": "secret"}).status_code, 200)
