"""docs/deployment.md: every configuration is accepted by the program that reads it."""

import re
import shutil
import sys
from pathlib import Path

import yaml

from tests.docs.pages import FILES, PAGES, ROOT
from tests.docs.programs import SHUTDOWN_SECONDS, Folder, run
from tests.requirement import need

PAGE = PAGES["docs/deployment.md"]


class ContainersTest(Folder):
    def test_the_compose_file_matches_the_compose_specification(self):
        checker = Path(sys.executable).with_name("check-jsonschema")
        self.assert_accepted(run(checker, "--builtin-schema", "vendor.compose-spec", self.write("compose.yaml")))

    def test_the_docker_grace_periods_are_longer_than_shutting_down_takes(self):
        service = yaml.safe_load(FILES["compose.yaml"])["services"]["server-health"]
        self.assertGreater(int(service["stop_grace_period"].rstrip("s")), SHUTDOWN_SECONDS)
        [seconds] = re.findall(r"--stop-timeout (\d+)", PAGE.section("Docker"))
        self.assertGreater(int(seconds), SHUTDOWN_SECONDS)

    def test_the_compose_file_accepts_exactly_the_variables_that_its_head_names(self):
        text = (ROOT / "docker-compose.yml").read_text()
        head = text.partition("\nname:")[0]
        self.assertEqual(set(re.findall(r"\$\{([A-Z_]+)", text)), set(re.findall(r"[A-Z]+_[A-Z_]+", head)))
        environment = yaml.safe_load(text)["services"]["server"]["environment"]
        self.assertEqual(environment["STATUS_TOKEN"], "${STATUS_TOKEN:-}")


class SystemdTest(Folder):
    def test_systemd_accepts_the_unit(self):
        need(shutil.which("systemd-analyze"), "systemd-analyze (Debian package systemd)")
        unit = FILES["server-health.service"]
        self.assertIn("/opt/server-health/bin/serve", unit)
        unit = self.write("server-health.service", unit.replace("/opt/server-health", str(ROOT)))
        done = run("systemd-analyze", "verify", "--man=no", unit)
        self.assert_accepted(done)
        self.assertNotIn(unit.name, done.stderr)  # it names what it ignores

    def test_systemd_waits_until_the_service_has_shut_down(self):
        [seconds] = re.findall(r"TimeoutStopSec=(\d+)", FILES["server-health.service"])
        self.assertGreater(int(seconds), SHUTDOWN_SECONDS)

    def test_systemctl_enables_the_unit(self):
        need(shutil.which("systemctl"), "systemctl (Debian package systemd)")
        [enable] = [line for line in PAGE.commands("systemd") if line.startswith("systemctl")]
        units = self.folder / "etc/systemd/system"
        units.mkdir(parents=True)
        (units / "server-health.service").write_text(FILES["server-health.service"])
        # In a folder instead of the running system, where nothing can be started.
        self.assert_accepted(run(*enable.replace(" --now", f" --root={self.folder}").split()))
        self.assertTrue((units / "multi-user.target.wants/server-health.service").is_symlink())
