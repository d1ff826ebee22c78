import configparser
import json
import subprocess
import unittest
import uuid

from app import __version__
from app.doctor.advice import LOCALHOST
from tests.container.engine import BUILD_SECONDS, ROOT, docker, inspect, need_engine
from tests.peers.service import eventually

CONTENTS = """
import glob, json, os, shutil
print(json.dumps({
    "uid": os.getuid(),
    "srv": sorted(os.listdir("/srv")),
    "unreadable": [p for p in glob.glob("/srv/**", recursive=True) if not os.access(p, os.R_OK)],
    "writable": [p for p in glob.glob("/srv/**", recursive=True) + glob.glob("/opt/venv/*") if os.access(p, os.W_OK)],
    "tests": glob.glob("/srv/**/test*", recursive=True),
    "installers": glob.glob("/opt/venv/bin/*pip*") + glob.glob("/opt/venv/lib/*/site-packages/pip*"),
    "compilers": [name for name in ("cc", "gcc", "g++", "make", "cargo", "git") if shutil.which(name)],
    "caches": [path for folder in ("/root/.cache", "/var/lib/apt/lists", "/var/cache/apt", "/tmp")
               for path in glob.glob(folder + "/*")],
    "wget": shutil.which("wget"),
}))
"""


class ImageTest(unittest.TestCase):
    """The image that the Dockerfile builds."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        need_engine()
        cls.image = f"server-health-test-{uuid.uuid4().hex[:8]}"
        cls.addClassCleanup(docker, "image", "rm", "--force", cls.image)
        docker("build", "--quiet", "--tag", cls.image, "--build-arg", "REVISION=abc", ".", timeout=BUILD_SECONDS)
        cls.config = inspect(cls.image)["Config"]

    def test_the_image_contains_the_service_and_no_tools_tests_or_caches(self):
        found = docker("run", "--rm", "--entrypoint", "python", self.image, "-c", CONTENTS)
        self.assertEqual(
            json.loads(found),
            {"uid": 10001, "srv": ["app"], "wget": "/usr/bin/wget"}
            | {key: [] for key in ("unreadable", "writable", "tests", "installers", "compilers", "caches")},
        )

    def test_the_user_is_numeric_and_not_root(self):
        self.assertRegex(self.config["User"], r"\A[1-9]\d*:[1-9]\d*\Z")

    def test_the_command_runs_without_a_shell(self):
        self.assertEqual(self.config["Cmd"], ["python", "-m", "app.serving.command"])
        self.assertEqual(list(self.config["ExposedPorts"]), ["8080/tcp"])

    def test_the_health_check_has_its_documented_times(self):
        second = 10**9
        check = self.config["Healthcheck"]
        times = [check[name] // second for name in ("Interval", "Timeout", "StartPeriod")]
        self.assertEqual((times, check["Retries"]), ([30, 10, 30], 3))

    def test_the_labels_name_version_revision_title_and_licence(self):
        labels = {name.rpartition(".")[2]: text for name, text in self.config["Labels"].items()}
        metadata = configparser.ConfigParser()
        metadata.read(ROOT / "setup.cfg")
        self.assertEqual(labels["version"], __version__)
        self.assertEqual(labels["revision"], "abc")
        self.assertEqual(labels["title"], metadata["metadata"]["name"])
        self.assertEqual(labels["licenses"], metadata["metadata"]["license"])

    def test_the_health_check_follows_port_and_path(self):
        settings = "--env PORT=9090 --env HEALTHCHECK_PATH=/health/live"
        times = "--health-interval 1s --health-start-period 0s"
        container = docker("run", "--detach", *settings.split(), *times.split(), self.image)
        self.addCleanup(docker, "rm", "--force", "--volumes", container)
        eventually(lambda: inspect(container)["State"]["Health"]["Status"] == "healthy", 30)

    def test_the_script_in_the_image_asks_the_service_in_its_container(self):
        container = docker("run", "--detach", self.image)
        self.addCleanup(docker, "rm", "--force", "--volumes", container)

        def run_script(options):
            return docker("exec", container, "sh", "-c", f"check-server-health.sh {options}; echo $?").splitlines()

        eventually(lambda: "unhealthy" in run_script("")[1], 30)
        self.assertEqual(run_script("")[-1], "1")
        answer, status = run_script("--nagios")
        self.assertRegex(answer, "CRITICAL: .*ai_service.*mongodb")
        self.assertEqual(status, "2")

    def test_the_doctor_in_the_image_sees_what_the_service_in_its_container_sees(self):
        container = docker("run", "--detach", self.image)
        self.addCleanup(docker, "rm", "--force", "--volumes", container)
        for command in ("exec", container), ("run", "--rm", "--network", f"container:{container}", self.image):
            with self.subTest(command[0]):
                ran = subprocess.run(
                    ["docker", *command, "server-health-doctor", "--json"], capture_output=True, text=True, timeout=60
                )
                self.assertEqual((ran.returncode, ran.stderr), (1, ""))
                dependencies = json.loads(ran.stdout)["dependencies"]
                self.assertEqual([each["name"] for each in dependencies], ["ai_service", "mongodb"])
                for each in dependencies:
                    self.assertEqual(each["means"], LOCALHOST.means)

    def test_a_bad_setting_ends_the_container_with_status_2(self):
        container = docker("create", "--env", "PORT=none", self.image)
        self.addCleanup(docker, "rm", "--force", "--volumes", container)
        docker("start", container)
        self.assertEqual(docker("wait", container), "2")
