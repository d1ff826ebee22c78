"""LiteLLM's proxy, in front of a model that the test serves."""

import json

from tests.ai_services.server import RealServerTest, installed
from tests.docs.ai_page import block
from tests.peers.ai_service import FaultyAiService

# Without prisma, which its images have, the proxy answers 500 to a request without a key.
REQUIREMENTS = ("litellm[proxy]==1.103.1", "prisma==0.15.0")
PAID = "/v1/chat/completions"
KEY = "sk-..."


class LiteLlmTest(RealServerTest):
    def setUp(self):
        super().setUp()
        self.model = self.enterContext(FaultyAiService())
        model = {"model": "openai/paid", "api_key": "none", "api_base": self.model.url + "/v1"}
        config = {
            "model_list": [{"model_name": "paid", "litellm_params": model}],
            "general_settings": {"master_key": KEY, "enable_drain_endpoint": True},
        }
        (self.folder / "config.yaml").write_text(json.dumps(config))
        self.start(
            installed("litellm", *REQUIREMENTS),
            *("bin/litellm", "--config", "config.yaml", "--host", "127.0.0.1", "--port", self.port),
            LITELLM_LOCAL_MODEL_COST_MAP="True",
        )

    def test_readiness_is_free_and_the_health_route_calls_the_model(self):
        self.assert_answers("LiteLLM", "ready")
        self.assertNotIn(PAID, self.model.paths)
        self.assertEqual(self.get("/health").status_code, 401)
        self.assertNotIn(PAID, self.model.paths)
        self.assertEqual(self.get("/health", Authorization=f"Bearer {KEY}").status_code, 200)
        self.assertIn(PAID, self.model.paths)

    def test_a_proxy_that_shuts_down_is_not_ready(self):
        self.assertEqual(self.get("/health/drain").status_code, 200)
        self.assert_answers("LiteLLM", "it shuts down")

    def test_the_list_of_models_needs_the_key_as_that_of_a_hosted_api(self):
        listed = self.get("/v1/models", **json.loads(block("Hosted APIs", "json")))
        self.assertEqual([model["id"] for model in listed.json()["data"]], ["paid"])
        self.assertEqual(self.get("/v1/models").status_code, 401)
