"""This checkout's containers on a Docker Engine, driven by its command line."""

import contextlib
import json
import os
import shutil
import subprocess
import unittest
import uuid
from pathlib import Path

import requests

ROOT = Path(__file__).parents[2]
BUILD_SECONDS = 900  # the first build fetches packages
HAPROXY = """
FROM python:3.13-slim
RUN apt-get update && apt-get install -y --no-install-recommends haproxy
CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
"""
UNSET = ("MONGO_URI", "AI_SERVICE_URL", "STATUS_TOKEN", "SERVER_ADDRESS", "COMPOSE_FILE", "COMPOSE_PROJECT_NAME")


def docker(*arguments, timeout=120, **environment):
    """The standard output of a docker command; AssertionError with its error output if it fails."""
    return _output(["docker", *arguments], timeout, environment)


def shell(command, timeout=120, **environment):
    """The standard output of a command line as a reader types it; AssertionError if it fails."""
    return _output(["bash", "-c", command], timeout, environment)


def build_haproxy(image):
    """Build an image that stands in for Docker's own of HAProxy: the one of Debian, with the same command."""
    _output(["docker", "build", "--quiet", "--tag", image, "-"], BUILD_SECONDS, {}, HAPROXY)


def _output(command, timeout, environment, text=""):
    inherited = {name: value for name, value in os.environ.items() if name not in UNSET}
    ran = subprocess.run(
        command, cwd=ROOT, env=inherited | environment, input=text, capture_output=True, text=True, timeout=timeout
    )
    if ran.returncode:
        raise AssertionError(f"{' '.join(command)}: {ran.stderr or ran.stdout}")
    return ran.stdout.strip()


def need_engine():
    """Skip, in CI too, if no engine with Compose answers: .ci/run allows for machines without one."""
    if not shutil.which("docker"):
        raise unittest.SkipTest("no docker command")
    for command in ("version",), ("compose", "version"):
        try:
            docker(*command)
        except AssertionError as error:
            raise unittest.SkipTest(str(error)) from None


def inspect(name):
    """The engine's description of an image or a container."""
    return json.loads(docker("inspect", name))[0]


class Project:
    """docker-compose.yml as a project with its own name and a free port; `down` removes all of it.

    `files` are further Compose files that override it.
    """

    def __init__(self, *files):
        self.name = f"server-health-test-{uuid.uuid4().hex[:8]}"
        self._options = ["compose", "-p", self.name]
        for file in ("docker-compose.yml", *files):
            self._options += ["-f", str(file)]

    def compose(self, *arguments, timeout=120, **environment):
        return docker(*self._options, *arguments, timeout=timeout, SERVER_PORT="0", **environment)

    def up(self, *services):
        """Build and start all services and wait until they are healthy, or only start the named ones."""
        self.compose(
            "up", "--build", "--quiet-pull", *(("-d", *services) if services else ("--wait",)), timeout=BUILD_SECONDS
        )

    def down(self):
        self.compose("down", "--volumes", "--rmi", "local", "--remove-orphans", "--timeout", "5")

    def container(self, service):
        """The engine's description of a service's container."""
        return inspect(self.compose("ps", "--all", "--quiet", service))

    def run_in(self, service, *command):
        """The standard output of a command in a service's container; AssertionError if it fails."""
        return self.compose("exec", "-T", service, *command)

    @property
    def address(self):
        """host:port where the server is published; it changes with each start."""
        return self.compose("port", "server", "8080")

    def health(self):
        """(status code, JSON) of /health, or None if there is no answer."""
        with contextlib.suppress(requests.ConnectionError, AssertionError):
            answer = requests.get(f"http://{self.address}/health", timeout=10)
            return answer.status_code, answer.json()
        return None
