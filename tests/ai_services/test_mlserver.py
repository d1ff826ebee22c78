"""MLServer, which speaks KServe's protocol, with a model that loads until the test ends that."""

import json
import sys

from tests.ai_services.server import RealServerTest, installed
from tests.peers.ports import free_port
from tests.peers.service import eventually
from tests.requirement import need

MODEL = """
import asyncio, pathlib
from mlserver import MLModel

class Slow(MLModel):
    async def load(self):
        while not pathlib.Path("loaded").exists():
            await asyncio.sleep(0.1)
        return True
"""
READY = "/v2/health/ready"


class MlServerTest(RealServerTest):
    def test_it_is_ready_once_its_model_is_loaded(self):
        need(sys.version_info < (3, 13), "Python 3.12 or earlier, for MLServer")
        settings = {"host": "127.0.0.1", "http_port": self.port, "grpc_port": free_port()}
        settings |= {"metrics_endpoint": None, "parallel_workers": 0}
        (self.folder / "settings.json").write_text(json.dumps(settings))
        model = {"name": "slow", "implementation": "slow.Slow"}
        (self.folder / "model-settings.json").write_text(json.dumps(model))
        (self.folder / "slow.py").write_text(MODEL)
        self.start(installed("mlserver", "mlserver==1.7.1"), "bin/mlserver", "start", ".")
        self.assert_answers("KServe, MLServer", "MLServer loads a model")
        self.assertEqual(self.get("/v2/models/slow/ready").status_code, 400)
        (self.folder / "loaded").touch()
        eventually(lambda: self.get(READY).status_code == 200)
        self.assert_answers("KServe, MLServer", "MLServer is ready")
        self.assertEqual(self.get("/v2/models/slow/ready").status_code, 200)
        self.assertEqual(self.get("/v2/models/another/ready").status_code, 404)
