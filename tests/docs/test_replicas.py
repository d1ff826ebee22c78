"""docs/replicas.md: the stack suits the service, and the numbers are right. tests.container deploys the stack."""

import shutil
import sys
from pathlib import Path

import yaml

from app.factory import watched
from app.health.timing import NEVER
from app.settings import Settings
from tests.docs.pages import FILES, PAGES
from tests.docs.programs import SHUTDOWN_SECONDS, Folder, run
from tests.requirement import need

PAGE = PAGES["docs/replicas.md"]


def checks_a_second(probed, **settings):
    """How often a replica checks the AI service: while a probe asks for it all the time, or never."""
    [timing] = [each.timing for each, _ in watched(Settings.load(settings)) if each.name == "ai_service"]
    return 1 / (timing.due(0, 0.001, False) if probed else timing.due(0, NEVER, False))


class SwarmTest(Folder):
    def setUp(self):
        super().setUp()
        self.service = yaml.safe_load(FILES["stack.yaml"])["services"]["server-health"]

    def test_the_stack_matches_the_compose_specification(self):
        checker = Path(sys.executable).with_name("check-jsonschema")
        self.assert_accepted(run(checker, "--builtin-schema", "vendor.compose-spec", self.write("stack.yaml")))

    def test_swarm_probes_liveness_and_waits_until_a_replica_has_shut_down(self):
        self.assertEqual(self.service["environment"]["HEALTHCHECK_PATH"], "/health/live")
        self.assertGreater(int(self.service["stop_grace_period"].rstrip("s")), SHUTDOWN_SECONDS)

    def test_haproxy_accepts_the_configuration_and_has_room_for_an_update(self):
        need(shutil.which("haproxy"), "haproxy (Debian package haproxy)")
        self.assert_accepted(run("haproxy", "-c", "-f", self.write("haproxy-swarm.cfg")))
        [template] = [line.split() for line in FILES["haproxy-swarm.cfg"].splitlines() if "server-template" in line]
        self.assertGreater(int(template[2]), self.service["deploy"]["replicas"] + 1)

    def test_the_table_of_growth_follows_from_the_timing_of_the_checks(self):
        rates = [
            checks_a_second(probed=False),
            checks_a_second(probed=True),
            *(checks_a_second(probed=True, DEPENDENCY__AI_SERVICE__MAX_AGE_SECONDS=each) for each in ("10", "60")),
        ]
        rows = []
        for replicas in 10, 100, 1000:
            cells = [format(float(f"{replicas * rate:.2g}"), "g") for rate in rates]  # two digits
            rows.append(f"| {replicas} | {' | '.join(cells)} |")
        self.assertIn("\n".join(rows), PAGE.section("How it grows"))
