import resource
import subprocess
import sys
import tempfile
import unittest

from gunicorn.config import Config

from app.serving import final_config
from tests.peers.service import ROOT, Service


def complaints(**changed):
    """The settings for which a configuration with these changes is refused."""
    cfg = Config()
    for name, value in {"worker_class": "gthread", "threads": 8, "bind": "[::1]:80", **changed}.items():
        cfg.set(name, value)
    return [line.partition(":")[0].removeprefix("gunicorn's ") for line in final_config.complaints(cfg, threads=8)]


class TestComplaints(unittest.TestCase):
    def test_the_service_accepts_its_own_configuration(self):
        self.assertEqual(complaints(), [])
        self.assertEqual(complaints(worker_class="app.serving.probe_worker.ProbeWorker", threads=9), [])

    def test_each_setting_that_it_cannot_run_with_is_named(self):
        for name, value in {
            "workers": 2,
            "preload_app": True,
            "worker_class": "gunicorn.workers.base.Worker",
            "threads": 7,
            "worker_connections": 50,
            "bind": "unix:/no/socket",
            "certfile": "x",
            "keyfile": "x",
            "protocol": "uwsgi",
            "proxy_protocol": "v1",
            "http2_cleartext": "both",
            "http_protocols": "h1,h2",
            "worker_tmp_dir": "/proc",
        }.items():
            with self.subTest(name):
                self.assertIn(name, complaints(**{name: value}))

    def test_a_demand_for_more_workers_is_answered_with_advice(self):
        cfg = Config()
        cfg.set("workers", 2)
        self.assertIn("for more capacity add replicas", final_config.complaints(cfg, 1)[0])


class TestDescriptorLimit(unittest.TestCase):
    def limited(self, soft, hard, needed):
        """The complaints of a process with these limits, and its soft limit afterwards."""
        code = (
            "import resource; from app.serving.final_config import raise_descriptor_limit as r;"
            f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}));"
            f"print(r({needed}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
        )
        return subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.strip()

    def test_it_is_raised_as_far_as_needed_and_no_further(self):
        self.assertEqual(self.limited(200, 400, 300), "[] 300")
        self.assertEqual(self.limited(200, 400, 100), "[] 200")

    def test_a_hard_limit_that_is_too_low_is_reported_in_numbers(self):
        self.assertEqual(
            self.limited(200, 400, 500), "['descriptor limit (ulimit -n): must be 500 or more, not 400'] 200"
        )


class TestHeartbeatFolder(unittest.TestCase):
    def test_it_is_in_memory_where_files_can_be_made_there(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(final_config.heartbeat_folder(folder), folder)

    def test_it_is_the_default_where_that_folder_is_missing_or_cannot_be_written_to(self):
        for folder in ("/proc", "/proc/no/such/folder"):
            with self.subTest(folder):
                self.assertIsNone(final_config.heartbeat_folder(folder))


class TestStart(unittest.TestCase):
    """A start that cannot succeed ends with status 2 and one line for each reason, and nothing runs."""

    def test_wherever_the_setting_was_made(self):
        unix = f"unix:{tempfile.gettempdir()}/no.sock"
        few = Service("--worker-connections", "1000", WS_MAX_CONNECTIONS="36", wait=False)
        resource.prlimit(few.process.pid, resource.RLIMIT_NOFILE, (1000, 1000))  # it is still importing
        preload = Service("--preload", wait=False)
        for service, *expected in (
            (
                Service("--workers", "2", "--bind", unix, "--certfile", "/no", wait=False),
                "workers: must be 1",
                "bind: must be TCP",
                "certfile: must not be set",
            ),
            (Service("--workers=3", wait=False), "for more capacity add replicas"),
            (Service(GUNICORN_CMD_ARGS="--certfile=/no", wait=False), "certfile: must not be set"),
            (preload, "preload_app: must be off"),
            (
                Service("--worker-tmp-dir", "/proc", wait=False),
                "worker_tmp_dir: must be a folder that can be written to",
            ),
            (few, "descriptor limit (ulimit -n): must be 1172 or more, not 1000"),
        ):
            self.addCleanup(service.close)
            with self.subTest(expected):
                self.assertEqual(service.wait(), 2, service.lines)
                self.assertEqual(len(expected), len(service.err), service.err)
                for line, text in zip(service.err, expected, strict=True):
                    self.assertIn(text, line)
                for unwanted in ("Booting worker", "Listening at"):
                    self.assertNotIn(unwanted, "\n".join(service.out))
        self.assertNotIn("settings: ", "\n".join(preload.out), "the application was loaded")
