"""The answers to the three probes, as status code and JSON: the same for every way they are asked."""

import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import NamedTuple

from app.health.report import Report, to_json


class Answer(NamedTuple):
    """A status code and a JSON body."""

    status: int
    body: bytes


ALIVE = Answer(HTTPStatus.OK, to_json({"status": "alive"}))
READY = Answer(HTTPStatus.OK, to_json({"status": "ready"}))
DRAINING = Answer(HTTPStatus.SERVICE_UNAVAILABLE, to_json({"status": "draining", "missing": []}))


class ProbeAnswers:
    """Answers `/health`, `/health/live` and `/health/ready`.

    `required` names the dependencies that readiness needs; `ailing_threads` names the own threads that no
    longer do their work; `draining` says whether the service is leaving.
    """

    def __init__(
        self,
        unhealthy_status_code: int,
        required: Sequence[str],
        ailing_threads: Callable[[], list[str]],
        draining: Callable[[], bool],
    ) -> None:
        self._unhealthy_status_code = unhealthy_status_code
        self._required = required
        self._ailing_threads = ailing_threads
        self._draining = draining
        self._counting = threading.Lock()  # guards _counts
        codes = {"/health": (200, unhealthy_status_code), "/health/live": (200, 503), "/health/ready": (200, 503)}
        self._counts = {(route, code): 0 for route in codes for code in codes[route]}

    def count(self, route: str, status: int) -> None:
        """Count a probe of `route` that is answered with `status`; from any thread."""
        with self._counting:
            self._counts[route, status] = self._counts.get((route, status), 0) + 1

    def counts(self) -> dict[tuple[str, int], int]:
        """How many probes were answered, by route and status code; those never given are 0."""
        with self._counting:
            return dict(self._counts)

    def health_status(self, report: Report) -> int:
        """The status code that goes with a report."""
        return int(HTTPStatus.OK) if report.healthy else self._unhealthy_status_code

    def health(self, report: Report, timestamp: int) -> Answer:
        """The five fields; `timestamp` is the time of the answer in Unix milliseconds."""
        return Answer(self.health_status(report), report.health_json(timestamp))

    def live(self) -> Answer:
        """Whether this process does its work. Looks at no dependency: restarting us would not mend one."""
        ailing = self._ailing_threads()
        if not ailing:
            return ALIVE
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, to_json({"status": "dead", "threads": ailing}))

    def ready(self, report: Report) -> Answer:
        """Whether requests should be sent here."""
        if self._draining():
            return DRAINING
        missing = report.missing(self._required)
        if not missing:
            return READY
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, to_json({"status": "not ready", "missing": missing}))
