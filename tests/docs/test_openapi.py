"""The service keeps to docs/openapi.yaml: requests generated from it, and each response validated against it."""

import contextlib
import json
import unittest
from pathlib import Path

import hypothesis
import jsonschema
import schemathesis
import yaml
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from websockets.sync.client import connect

from app.health.prober_kinds import KINDS
from app.net.reason import Reason
from tests.peers.ai_service import FaultyAiService, Mode
from tests.peers.mongo import ScriptedMongo
from tests.peers.service import Service, eventually

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.yaml"
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
EXAMPLES = 6


class OpenApiTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.spec = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
        with contextlib.ExitStack() as stack:
            cls.ai = stack.enter_context(FaultyAiService())
            mongo = stack.enter_context(ScriptedMongo())
            environ = {
                "MONGO_URI": mongo.uri,
                "AI_SERVICE_URL": cls.ai.url,
                "STATUS_TOKEN": "secret",
                "CHECK_MAX_AGE_SECONDS": 0.1,
                "WS_UPSTREAMS": "feed=ws://127.0.0.1:1/",
            }
            cls.service = stack.enter_context(Service(**environ))
            cls.addClassCleanup(stack.pop_all().close)

    def become(self, mode, status):
        self.ai.mode = mode
        eventually(lambda: self.service.get("/health").status == status)

    def run_all(self, **headers):
        """Request every operation of the document; the status codes received, by route."""
        document = schemathesis.openapi.from_path(str(DOCUMENT))
        seen = {}
        for found in document.get_all_operations():
            operation = found.ok()

            @hypothesis.settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(hypothesis.HealthCheck),
            )
            @hypothesis.given(case=operation.as_strategy())
            def ask(case):
                response = case.call(base_url=self.service.url, headers=headers)
                case.validate_response(response, checks=CHECKS, headers=headers)
                seen.setdefault(case.path, set()).add(response.status_code)

            with self.subTest(operation.label):
                ask()
        return seen

    def test_the_document_is_valid_openapi(self):
        schemathesis.openapi.from_path(str(DOCUMENT)).validate()

    def test_every_route_is_200_when_healthy_and_with_the_token(self):
        self.become(Mode.OK, 200)
        seen = self.run_all(Authorization="Bearer secret")
        self.assertEqual(seen.pop("/ws"), {426})
        self.assertEqual(seen, {key: {200} for key in self.spec["paths"].keys() - {"/ws"}})

    def test_health_and_details_are_503_when_unhealthy(self):
        self.become(Mode.STATUS_503, 503)
        seen = self.run_all(Authorization="Bearer secret")
        self.assertEqual((seen["/health"], seen["/health/details"], seen["/metrics"]), ({503}, {503}, {200}))

    def test_without_the_token_only_the_probes_are_answered(self):
        self.become(Mode.OK, 200)
        seen = self.run_all()
        for path, codes in seen.items():
            probe = path.startswith(("/health", "/livez", "/readyz")) and path != "/health/details"
            self.assertEqual(codes, {426} if path == "/ws" else {200} if probe else {401})

    def test_a_message_of_the_feed_matches_its_schema(self):
        schema = {"$ref": "#/components/schemas/Message", **self.spec}
        headers = {"Authorization": "Bearer secret"}
        url = self.service.url.replace("http", "ws") + "/ws"
        with connect(url, additional_headers=headers, proxy=None) as socket:
            message = json.loads(socket.recv(timeout=5))
        jsonschema.Draft202012Validator(schema).validate(message)

    def test_the_document_lists_every_reason_and_no_other(self):
        self.assertEqual(self.spec["components"]["schemas"]["Reason"]["enum"], [reason.value for reason in Reason])

    def test_the_document_lists_every_kind_of_prober_and_no_other(self):
        self.assertEqual(tuple(self.spec["components"]["schemas"]["Prober"]["properties"]["kind"]["enum"]), KINDS)
