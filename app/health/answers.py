"""The answers to the probes, as status code and JSON: the same for every way they are asked."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

from app.health.report import Report, to_json
from app.tally import Tally

HEALTH, LIVE, READY = "/health", "/health/live", "/health/ready"
DETAILS, METRICS = "/health/details", "/metrics"
ALIASES = {"/healthz": HEALTH, "/livez": LIVE, "/readyz": READY}


class Answer(NamedTuple):
    """A status code and a JSON body."""

    status: int
    body: bytes


_ALIVE = Answer(HTTPStatus.OK, to_json({"status": "alive"}))
_READY = Answer(HTTPStatus.OK, to_json({"status": "ready"}))
_DRAINING = Answer(HTTPStatus.SERVICE_UNAVAILABLE, to_json({"status": "draining", "missing": []}))


class ProbeAnswers:
    """Answers the probes, and counts the answers by route and status code.

    `routes` maps each path of a probe to the route that it stands for. `required` names the dependencies that readiness
    needs; `ailing_threads` names the service's own threads that no longer do their work; `draining` returns whether the
    service is draining.
    """

    def __init__(
        self,
        dependencies: Iterable[str],
        unhealthy_status_code: int,
        required: Sequence[str],
        ailing_threads: Callable[[], list[str]],
        draining: Callable[[], bool],
    ) -> None:
        self._names = {f"{HEALTH}/{name}": name for name in dependencies}
        self._unhealthy_status_code = unhealthy_status_code
        self._required = required
        self._ailing_threads = ailing_threads
        self._draining = draining
        routes = (HEALTH, LIVE, READY, *self._names)
        self.routes: Mapping[str, str] = {route: route for route in routes} | ALIASES
        unhealthy = {HEALTH: unhealthy_status_code}
        self.counts = Tally((route, code) for route in routes for code in (200, unhealthy.get(route, 503)))

    def answer(self, path: str, report: Report | None, timestamp: int) -> Answer:
        """The answer to one probe of `path`, which is in `routes`; counted.

        `report` may be None for LIVE, which depends on no dependency. `timestamp` is the time of the answer in Unix
        milliseconds.
        """
        route = self.routes[path]
        if report is None:
            answer = self._live()
        elif route == HEALTH:
            answer = Answer(self.health_status(report), report.health_json(timestamp))
        elif route == READY:
            answer = self._ready(report)
        else:
            answer = self._dependency(report, self._names[route])
        self.counts.count((route, int(answer.status)))
        return answer

    def health_status(self, report: Report) -> int:
        """The status code that goes with a report."""
        return int(HTTPStatus.OK) if report.healthy else self._unhealthy_status_code

    def _live(self) -> Answer:
        """Whether this process does its work. A dependency is left out: a restart would not repair one."""
        ailing = self._ailing_threads()
        if not ailing:
            return _ALIVE
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, to_json({"status": "dead", "threads": ailing}))

    def _ready(self, report: Report) -> Answer:
        """Whether requests should be sent here."""
        if self._draining():
            return _DRAINING
        missing = report.missing(self._required)
        if not missing:
            return _READY
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, to_json({"status": "not ready", "missing": missing}))

    def _dependency(self, report: Report, name: str) -> Answer:
        """What is reported about one dependency."""
        record = next(record for record in report.records if record.name == name)
        body = {"status": record.status, "reason": record.reason, "detail": record.detail, "since": record.since}
        return Answer(HTTPStatus.OK if record.connected else HTTPStatus.SERVICE_UNAVAILABLE, to_json(body))
