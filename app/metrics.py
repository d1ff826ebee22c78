"""What is measured, for Prometheus: names and units follow its guidelines, in a registry of our own."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from app import __version__
from app.connections.connection import Direction, State
from app.connections.monitor import Monitor
from app.connections.registry import Registry
from app.health.checker_state import Step
from app.health.record import status_of
from app.health.watch import HealthWatch
from app.net.reason import Reason
from app.tally import Tally

PREFIX = "server_health"
# The longest timeout of a dependency is 30 s: no check takes longer than the last bucket.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
NO_REASON = "none"  # an empty label would be no label at all
# No check ends with these two.
NOT_CHECKED = (Reason.PENDING, Reason.STALE)
# A client is connected or gone: we never dial one.
INBOUND_STATES = (State.CONNECTED, State.CLOSED)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sources(Collector):
    """The parts whose state is read at each scrape; the results of checks are counted as they end.

    The tallies are counts kept by other parts: `reconnects` by outcome, `probes` by route and status code, `abandoned` by
    route, `turned_away` by cause.
    """

    watch: HealthWatch
    registry: Registry
    monitor: Monitor
    reconnects: Tally[str]
    probes: Tally[tuple[str, int]]
    abandoned: Tally[str]
    turned_away: Tally[str]
    draining: Callable[[], bool]
    dropped_lines: Callable[[], int]

    def collect(self) -> Iterable[Metric]:
        report = self.watch.current()
        identity = report.identity
        yield InfoMetricFamily(
            f"{PREFIX}_build",
            "Which service reports, as it is set, and the version of the program itself.",
            {"version": identity.version, "service": identity.service, "software_version": __version__},
        )
        yield _gauge("up", "Whether all required dependencies are connected: 1 or 0.", report.healthy)
        degraded = report.healthy and bool(report.degraded)
        yield _gauge("degraded", "Whether only optional dependencies are disconnected: 1 or 0.", degraded)
        yield _gauge("draining", "Whether the service is leaving: 1 or 0.", self.draining())
        up = _labelled("dependency_up", "Whether the dependency is connected: 1 or 0.", "dependency")
        success = _labelled(
            "dependency_last_success_timestamp_seconds",
            "When the last check began that found it connected; 0: none yet.",
            "dependency",
        )
        required = _labelled(
            "dependency_required", "Whether the service is unhealthy without it: 1 or 0.", "dependency"
        )
        expiry = _labelled(
            "dependency_certificate_expiry_timestamp_seconds",
            "When the certificate that it showed last expires.",
            "dependency",
        )
        for record in report.records:
            required.add_metric([record.name], record.dependency.required)
            if record.certificate_expires_at is not None:
                expiry.add_metric([record.name], record.certificate_expires_at / 1000)
            up.add_metric([record.name], record.connected)
            success.add_metric([record.name], (record.last_success or 0) / 1000)
        yield up
        yield required
        yield success
        yield expiry
        yield self._connections()
        yield _counter(
            "reconnects",
            "Attempts to dial an upstream; gave_up: all attempts of a round failed.",
            ["outcome"],
            {(name,): n for name, n in self.reconnects.snapshot().items()},
        )
        refused = self.registry.refused.snapshot() | self.turned_away.snapshot()
        yield _counter(
            "connections_refused",
            "Connections of clients that were not let in, or had to make room.",
            ["cause"],
            {(cause,): n for cause, n in refused.items()},
        )
        yield _counter(
            "probes",
            "Probes answered.",
            ["route", "code"],
            {(route, str(code)): n for (route, code), n in self.probes.snapshot().items()},
        )
        yield _counter(
            "probes_abandoned",
            "Probes whose client closed the connection before it had the answer.",
            ["route"],
            {(route,): n for route, n in self.abandoned.snapshot().items()},
        )
        yield CounterMetricFamily(
            f"{PREFIX}_log_lines_dropped",
            "Log lines dropped because they were not read in time, or could not be written.",
            self.dropped_lines(),
        )
        yield _gauge(
            "monitor_last_sweep_timestamp_seconds",
            "When all WebSocket connections were last looked at; 0: not yet.",
            (self.monitor.last_sweep or 0) / 1000,
        )

    def _connections(self) -> Metric:
        possible = [*product([Direction.OUTBOUND], State), *product([Direction.INBOUND], INBOUND_STATES)]
        counts = dict.fromkeys(possible, 0) | self.registry.counts()
        family = GaugeMetricFamily(
            f"{PREFIX}_connections",
            "WebSocket connections: outbound to upstreams, inbound from clients.",
            labels=["direction", "state"],
        )
        for labels, count in counts.items():
            family.add_metric(labels, count)
        return family


class Metrics:
    """Everything that `/metrics` reports; every series exists from the start, as zero."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, sources: Sources) -> None:
        # Otherwise each counter would have a second series, with the time when it was created.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._registry.register(sources)
        sources.watch.listen(_Checks(sources.watch.dependencies, self._registry))
        ProcessCollector(registry=self._registry)

    def render(self) -> bytes:
        """The metrics of this moment in Prometheus' text format 0.0.4. Waits for nothing."""
        return generate_latest(self._registry)


class _Checks:
    """A listener that counts the results of checks."""

    def __init__(self, dependencies: Iterable[str], registry: CollectorRegistry) -> None:
        self._durations = Histogram(
            f"{PREFIX}_check_duration_seconds",
            "How long checks took; one past its deadline counts as the deadline.",
            ["dependency"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._ended = Counter(
            f"{PREFIX}_checks_total",
            "Checks that have ended, and why the answer was no.",
            ["dependency", "result", "reason"],
            registry=registry,
        )
        self._turns = Counter(
            f"{PREFIX}_dependency_state_changes_total",
            "Turns from connected to disconnected or back; the first result is none.",
            ["dependency"],
            registry=registry,
        )
        ends = [None, *(reason for reason in Reason if reason not in NOT_CHECKED)]
        for dependency in dependencies:
            self._durations.labels(dependency)
            self._turns.labels(dependency)
            for reason in ends:
                self._ended.labels(dependency, status_of(reason), reason or NO_REASON)

    def __call__(self, step: Step) -> None:
        before, after, outcome = step
        name = after.name
        if outcome is not None:
            self._durations.labels(name).observe(outcome.latency)
            self._ended.labels(name, status_of(outcome.reason), outcome.reason or NO_REASON).inc()
        if after.status != before.status and before.reason is not Reason.PENDING:
            self._turns.labels(name).inc()


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", documentation, value)


def _labelled(name: str, documentation: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", documentation, labels=[label])


def _counter(name: str, documentation: str, labels: list[str], counts: Mapping[tuple[str, ...], int]) -> Metric:
    family = CounterMetricFamily(f"{PREFIX}_{name}", documentation, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family
