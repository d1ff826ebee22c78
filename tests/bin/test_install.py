import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from urllib.parse import urljoin

from app import __version__
from tests.bin.checkout import DEADLINE, ROOT
from tests.peers.service import Service
from tests.requirement import need

INSTALL_SECONDS = 600


class InstallTest(unittest.TestCase):
    """`pip install .` into a fresh environment; the requirements come from the package index."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.environment = cls.folder / "environment"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", cls.environment], check=True)
        locked = re.findall(r"^(\S+==\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
        (cls.folder / "locked.txt").write_text("\n".join(locked))
        fetched = cls.pip("-r", cls.folder / "locked.txt", "setuptools >=77")
        need(fetched.returncode == 0, f"a package index: {fetched.stderr.strip().rpartition(chr(10))[2]}")
        # Building leaves files beside the source.
        source = cls.folder / "source"
        shutil.copytree(ROOT / "app", source / "app", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        installed = cls.pip("-c", cls.folder / "locked.txt", source)
        if installed.returncode:
            raise AssertionError(installed.stderr)

    @classmethod
    def pip(cls, *arguments):
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", cls.environment]
        return subprocess.run(
            [*pip, "install", *arguments], cwd=cls.folder, capture_output=True, text=True, timeout=INSTALL_SECONDS
        )

    def test_the_installed_command_serves_probes_and_the_whole_page_from_another_folder(self):
        (self.folder / "app.py").write_text("raise RuntimeError('a module of the current folder')\n")
        with Service(command=self.environment / "bin/server-health", cwd=self.folder) as service:
            self.assertEqual(service.json("/health")["status"], "unhealthy")
            page = service.get("/")
            self.assertEqual(page.status, 200)
            files = re.findall(r'(?:href|src)="(static/[^"]+)"', page.body.decode())
            self.assertGreaterEqual(len(files), 3)
            for file in files:
                self.assertEqual(service.get(urljoin("/", file)).status, 200, file)

    def test_the_installed_doctor_examines_from_another_folder(self):
        ran = subprocess.run(
            [self.environment / "bin/server-health-doctor", "--json"],
            cwd=self.folder,
            env={"MONGO_URI": "", "AI_SERVICE_URL": "http://127.0.0.1:1"},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        self.assertEqual((ran.returncode, ran.stderr), (1, ""))
        self.assertEqual([each["name"] for each in json.loads(ran.stdout)["dependencies"]], ["ai_service"])

    def test_every_file_of_the_package_is_installed(self):
        [installed] = self.environment.glob("lib/*/site-packages/app")
        for file in (ROOT / "app").rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                self.assertTrue((installed / file.relative_to(ROOT / "app")).exists(), file)

    def test_the_version_is_that_of_the_program(self):
        [metadata] = self.environment.glob("lib/*/site-packages/server_health-*.dist-info")
        self.assertEqual(metadata.name, f"server_health-{__version__}.dist-info")
