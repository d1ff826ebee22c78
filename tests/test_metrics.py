"""What `/metrics` tells, sample by sample."""

import dataclasses
import os
import shutil
import subprocess
import threading
import unittest

from prometheus_client.parser import text_string_to_metric_families

from app import __version__
from app.connections.backoff import Backoff
from app.connections.monitor import Monitor
from app.connections.registry import Registry
from app.connections.upstream import Upstream
from app.health.checker_state import Step
from app.health.report import Identity, Report
from app.metrics import Metrics, Sources
from app.net.reason import Reason
from app.tally import Tally
from tests.fakes import new_record, outcome
from tests.requirement import need


class FakeWatch:
    """The records of two dependencies, and a listener that the test calls."""

    dependencies = ["ai_service", "mongodb"]

    def __init__(self):
        self.records = {name: new_record(name, 0) for name in self.dependencies}

    def listen(self, listener):
        self._listener = listener

    def current(self):
        return Report(Identity('the "server"', "2.0\n"), tuple(self.records.values()))

    def check(self, name, reason=None, latency=0.02, began=1_795_464_000_500):
        """A check ends."""
        before = self.records[name]
        ended = outcome(reason, latency * 1000)
        self.records[name] = before.after_check(began, began, ended)
        self._listener(Step(before, self.records[name], ended))

    def go_stale(self, name):
        before = self.records[name]
        self.records[name] = before.gone_stale(1)
        self._listener(Step(before, self.records[name], None))


class MetricsTest(unittest.TestCase):
    def setUp(self):
        self.watch = FakeWatch()
        self.registry = Registry(inbound_cap=1)
        self.monitor = Monitor(self.registry, wall_clock=lambda: 1_795_464_030.25)
        self.reconnects = Tally(["success", "failure", "gave_up"])
        self.probes = Tally([("/health", 200), ("/health", 503)])
        for _ in range(7):
            self.probes.count(("/health", 200))
        self.abandoned = Tally(["/health", "/metrics"])
        self.turned_away = Tally(["busy", "evicted"])
        self.draining = False
        self.metrics = self.made()

    def made(self):
        sources = Sources(
            watch=self.watch,
            registry=self.registry,
            monitor=self.monitor,
            reconnects=self.reconnects,
            probes=self.probes,
            abandoned=self.abandoned,
            turned_away=self.turned_away,
            draining=lambda: self.draining,
            dropped_lines=lambda: 11,
        )
        return Metrics(sources)

    def samples(self):
        """(name without prefix, labels) -> value."""
        families = text_string_to_metric_families(self.metrics.render().decode())
        return {
            (sample.name.removeprefix("server_health_"), frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    def value(self, name, **labels):
        return self.samples()[name, frozenset(labels.items())]

    def total(self, name):
        return sum(value for (found, _), value in self.samples().items() if found == name)

    def test_before_the_first_check_nothing_is_up_and_nothing_has_happened(self):
        self.assertEqual(self.value("up"), 0)
        self.assertEqual(self.value("dependency_up", dependency="mongodb"), 0)
        self.assertEqual(self.value("dependency_last_success_timestamp_seconds", dependency="mongodb"), 0)
        self.assertEqual(self.value("monitor_last_sweep_timestamp_seconds"), 0)
        self.assertEqual(self.total("checks_total"), 0)

    def test_every_series_exists_from_the_start(self):
        before = self.samples().keys()
        for reason in set(Reason) - {Reason.PENDING, Reason.STALE}:
            self.watch.check("mongodb", reason)
        self.watch.check("ai_service")
        self.reconnects.count("gave_up")
        self.abandoned.count("/metrics")
        for cause in ("token", "origin", "handshake"):
            self.registry.refused.count(cause)
        for cause in ("busy", "evicted"):
            self.turned_away.count(cause)
        self.assertEqual(self.samples().keys(), before)

    def test_it_is_up_when_all_dependencies_are(self):
        self.watch.check("mongodb")
        self.assertEqual(self.value("dependency_up", dependency="mongodb"), 1)
        self.assertEqual(self.value("up"), 0)
        self.watch.check("ai_service")
        self.assertEqual(self.value("up"), 1)

    def test_an_optional_dependency_makes_the_service_degraded_and_not_down(self):
        self.watch.records["mongodb"] = new_record("mongodb", required=False)
        self.watch.check("ai_service")
        self.watch.check("mongodb", Reason.REFUSED)
        self.assertEqual((self.value("up"), self.value("degraded")), (1, 1))
        self.assertEqual(self.value("dependency_required", dependency="mongodb"), 0)
        self.assertEqual(self.value("dependency_required", dependency="ai_service"), 1)
        self.watch.check("mongodb")
        self.assertEqual((self.value("up"), self.value("degraded")), (1, 0))

    def test_the_expiry_of_a_certificate_is_in_seconds_and_only_where_it_is_known(self):
        name = "dependency_certificate_expiry_timestamp_seconds"
        self.watch.check("mongodb")
        self.assertNotIn((name, frozenset({("dependency", "mongodb")})), self.samples())
        record = self.watch.records["mongodb"]
        self.watch.records["mongodb"] = dataclasses.replace(record, certificate_expires_at=1_800_000_000_000)
        self.assertEqual(self.value(name, dependency="mongodb"), 1_800_000_000)

    def test_the_last_success_is_in_seconds(self):
        self.watch.check("mongodb")
        self.watch.check("mongodb", Reason.DNS, began=1_795_464_999_000)
        self.assertEqual(self.value("dependency_last_success_timestamp_seconds", dependency="mongodb"), 1_795_464_000.5)

    def test_an_ended_check_counts_once_by_its_reason(self):
        self.watch.check("mongodb")
        self.watch.check("mongodb", Reason.REFUSED)
        self.watch.check("mongodb", Reason.REFUSED)
        counts = {
            reason: self.value("checks_total", dependency="mongodb", result=result, reason=reason)
            for result, reason in [("connected", "none"), ("disconnected", "refused")]
        }
        self.assertEqual(counts, {"none": 1, "refused": 2})
        self.assertEqual(self.total("checks_total"), 3)

    def test_going_stale_is_no_check_but_a_change_of_state(self):
        self.watch.check("mongodb")
        self.watch.go_stale("mongodb")
        self.assertEqual(self.total("checks_total"), 1)
        self.assertEqual(self.value("check_duration_seconds_count", dependency="mongodb"), 1)
        self.assertEqual(self.value("dependency_state_changes_total", dependency="mongodb"), 1)

    def test_turns_are_counted_both_ways_but_neither_the_first_result_nor_another_reason(self):
        for reason in (None, None, Reason.REFUSED, Reason.TIMEOUT, None):
            self.watch.check("mongodb", reason)
        self.assertEqual(self.value("dependency_state_changes_total", dependency="mongodb"), 2)
        self.watch.check("ai_service", Reason.DNS)
        self.assertEqual(self.value("dependency_state_changes_total", dependency="ai_service"), 0)

    def test_the_longest_check_that_may_be_is_in_the_last_bucket_but_infinity(self):
        self.watch.check("mongodb", latency=0.002)
        self.watch.check("mongodb", Reason.TIMEOUT, latency=5.0)
        buckets = {
            le: self.value("check_duration_seconds_bucket", dependency="mongodb", le=le)
            for le in ("0.001", "0.0025", "2.5", "5.0", "+Inf")
        }
        self.assertEqual(buckets, {"0.001": 0, "0.0025": 1, "2.5": 1, "5.0": 2, "+Inf": 2})
        self.assertEqual(self.value("check_duration_seconds_sum", dependency="mongodb"), 5.002)

    def test_connections_are_counted_by_direction_and_state(self):
        self.registry.add("feed", Upstream("feed", None, None, Backoff(), self.reconnects))
        self.assertEqual(self.value("connections", direction="outbound", state="connecting"), 1)
        self.assertEqual(self.value("connections", direction="outbound", state="failed"), 0)
        self.assertEqual(self.value("connections", direction="inbound", state="connected"), 0)

    def test_what_others_count_is_read(self):
        self.reconnects.count("failure")
        self.assertTrue(self.registry.reserve())
        self.assertFalse(self.registry.reserve())
        self.monitor.sweep()
        self.draining = True
        self.assertEqual(self.value("reconnects_total", outcome="failure"), 1)
        self.assertEqual(self.value("connections_refused_total", cause="capacity"), 1)
        self.assertEqual(self.value("monitor_last_sweep_timestamp_seconds"), 1_795_464_030.25)
        self.assertEqual(self.value("draining"), 1)
        self.assertEqual(self.value("log_lines_dropped_total"), 11)
        self.assertEqual(self.value("probes_total", route="/health", code="200"), 7)

    def test_the_build_info_names_the_service_whatever_its_name_is(self):
        self.assertEqual(
            self.value("build_info", service='the "server"', version="2.0\n", software_version=__version__), 1
        )

    def test_the_process_itself_is_measured(self):
        need(os.path.exists("/proc/self/stat"), "a /proc")
        self.assertGreater(self.value("process_resident_memory_bytes"), 0)

    def test_two_services_in_one_process_do_not_share_counts(self):
        other, self.watch = self.watch, FakeWatch()
        self.metrics = self.made()
        other.check("mongodb")
        self.assertEqual(self.total("checks_total"), 0)

    def test_counting_while_it_is_read_loses_nothing(self):
        def count():
            for _ in range(500):
                self.watch.check("mongodb")

        threads = [threading.Thread(target=count) for _ in range(2)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.metrics.render()
        for thread in threads:
            thread.join()
        self.assertEqual(self.total("checks_total"), 1000)

    def test_promtool_finds_nothing_to_say(self):
        need(shutil.which("promtool"), "promtool (Debian package prometheus)")
        self.watch.check("mongodb", Reason.REFUSED)
        found = subprocess.run(["promtool", "check", "metrics"], input=self.metrics.render(), capture_output=True)
        self.assertEqual((found.returncode, found.stdout, found.stderr), (0, b"", b""))
