"""The stack of docs/replicas.md on a swarm of one node: no request is lost while replicas come and go."""

import re
import tempfile
import unittest
import uuid
from pathlib import Path

from tests.container.engine import BUILD_SECONDS, build_haproxy, docker, inspect, need_engine, shell
from tests.container.load import Load
from tests.docs.pages import FILES, PAGES
from tests.peers.ports import free_port
from tests.peers.service import eventually
from tests.requirement import need

SOON = 40  # seconds until a change must be seen; on a busy machine a replica takes some of them to start
CONVERGE_SECONDS = 120
REPLICAS = 3
DEPLOY, UPDATE, SCALE, LIST = PAGES["docs/replicas.md"].commands("Swarm")
# Beside the page's file: images that exist here, a MongoDB, the name of each replica, and shorter times. A name that the
# engine does not know is asked of nobody.
BESIDE = """
services:
  server-health:
    image: {stack}
    environment: {{SERVICE_NAME: "{{{{.Task.ID}}}}"}}
    dns: [127.0.0.1]
    healthcheck: {{interval: 1s}}
    deploy: {{update_config: {{monitor: 1s}}, restart_policy: {{delay: 1s}}}}
  haproxy:
    image: {stack}-haproxy
    dns: [127.0.0.1]
  mongo:
    image: mongo:8
    networks: [watch]
    dns: [127.0.0.1]
    deploy: {{endpoint_mode: dnsrr}}
"""


class SwarmTest(unittest.TestCase):
    """Each test leaves three replicas and MongoDB in the stack."""

    @classmethod
    def setUpClass(cls):
        need_engine()
        state = docker("info", "--format", "{{.Swarm.LocalNodeState}}")
        need(state == "inactive", "an engine outside of any swarm, because the test leaves its own by force")
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.stack = f"server-health-test-{uuid.uuid4().hex[:8]}"
        cls.port = free_port()
        cls.build()
        docker("swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1")
        cls.addClassCleanup(cls.leave)
        cls.addClassCleanup(cls.remove)
        cls.run_command(DEPLOY)

    @classmethod
    def build(cls):
        for name, contents in {
            "stack.yaml": FILES["stack.yaml"],
            "haproxy-swarm.cfg": FILES["haproxy-swarm.cfg"],
            "beside.yaml": BESIDE.format(stack=cls.stack),
        }.items():
            (cls.folder / name).write_text(contents)
        docker("build", "--quiet", "--tag", cls.stack, ".", timeout=BUILD_SECONDS)
        build_haproxy(f"{cls.stack}-haproxy")
        for image in cls.stack, f"{cls.stack}-haproxy":
            cls.addClassCleanup(docker, "image", "rm", "--force", image)

    @classmethod
    def remove(cls):
        docker("stack", "rm", cls.stack)
        eventually(lambda: not cls.containers(f"label=com.docker.stack.namespace={cls.stack}"), SOON)

    @classmethod
    def leave(cls):
        docker("swarm", "leave", "--force")
        docker("network", "rm", "docker_gwbridge")

    @classmethod
    def run_command(cls, command):
        """The output of a command of the page, with the test's own name of the stack, once the swarm has done it."""
        command = re.sub(r"\bwatch(?=_|\s|$)", cls.stack, command)
        beside = "--compose-file stack.yaml --compose-file beside.yaml --resolve-image never --detach=false"
        return shell(
            f"cd {cls.folder} && {command.replace('--compose-file stack.yaml', beside)}",
            timeout=CONVERGE_SECONDS,
            MONGO_URI="mongodb://mongo",
            AI_SERVICE_URL="",
            PUBLISHED_PORT=str(cls.port),
        )

    @staticmethod
    def containers(condition):
        return docker("ps", "--all", "--quiet", "--filter", condition).split()

    def replicas(self):
        """The container of each replica that should run, by the ID of its task, which is its SERVICE_NAME."""
        service = f"{self.stack}_server-health"
        tasks = docker("service", "ps", "--no-trunc", "--quiet", "--filter", "desired-state=running", service).split()
        return {task: self.containers(f"label=com.docker.swarm.task.id={task}") for task in tasks}

    def scale(self, replicas):
        self.run_command(SCALE.replace("=5", f"={replicas}"))

    def scale_mongo(self, replicas):
        docker("service", "scale", f"{self.stack}_mongo={replicas}", timeout=CONVERGE_SECONDS)

    def await_statuses(self, load, replicas, status):
        """Wait until exactly the replicas that should run answer, as many as given and all with this status."""

        def as_expected():
            statuses = load.statuses()
            return len(statuses) == replicas and statuses == dict.fromkeys(self.replicas(), status)

        eventually(as_expected, SOON)

    def assert_nothing_lost(self, load):
        self.assertEqual(load.lost, [])
        self.assertGreater(load.sent, 100)

    def test_a_rolling_update_loses_no_request(self):
        with Load(self.port) as load:
            self.await_statuses(load, REPLICAS, 200)
            self.run_command(UPDATE)
            self.await_statuses(load, REPLICAS, 200)
            self.assertEqual(load.versions(), {"1.0.1"})
        self.assert_nothing_lost(load)

    def test_a_replica_that_is_killed_loses_no_request_and_is_replaced(self):
        with Load(self.port) as load:
            self.await_statuses(load, REPLICAS, 200)
            before = self.replicas()
            killed, [container] = before.popitem()
            docker("kill", container)
            eventually(lambda: killed not in self.replicas(), SOON)
            self.await_statuses(load, REPLICAS, 200)
            self.assertLess(before.keys(), self.replicas().keys())
            self.assertIn("Failed", self.run_command(LIST))
        self.assert_nothing_lost(load)

    def test_a_mongodb_that_is_gone_is_reported_by_all_replicas_and_restarts_none_of_them(self):
        with Load(self.port) as load:
            self.await_statuses(load, REPLICAS, 200)
            before = self.replicas()
            self.addCleanup(self.scale_mongo, 1)
            self.scale_mongo(0)
            self.await_statuses(load, REPLICAS, 503)
            self.await_more_health_checks_than_swarm_allows_to_fail(before)
            self.scale_mongo(1)
            self.await_statuses(load, REPLICAS, 200)
            self.assertEqual(self.replicas(), before)
        self.assert_nothing_lost(load)

    def await_more_health_checks_than_swarm_allows_to_fail(self, replicas):
        def health_checks(container):
            return {each["Start"] for each in inspect(container)["State"]["Health"]["Log"]}

        for [container] in replicas.values():
            seen = health_checks(container)
            self.assertGreater(len(seen), 3)  # `retries` in the stack
            eventually(lambda: not health_checks(container) & seen, SOON)

    def test_scaling_from_2_to_5_and_back_loses_no_request(self):
        with Load(self.port) as load:
            for replicas in 2, 5, 2:
                self.scale(replicas)
                self.await_statuses(load, replicas, 200)
            self.scale(REPLICAS)
            self.await_statuses(load, REPLICAS, 200)
        self.assert_nothing_lost(load)
