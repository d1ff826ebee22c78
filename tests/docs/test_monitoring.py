"""docs/monitoring.md: Prometheus accepts its configuration, and every metric is explained."""

import re
import shutil

from tests.docs.pages import DOCS, PAGES
from tests.docs.programs import Folder
from tests.docs.test_alerts_and_dashboard import measured, promtool


class MonitoringTest(Folder):
    def test_promtool_accepts_the_prometheus_configuration(self):
        shutil.copy(DOCS / "alerts.yml", self.folder)
        self.write("server-health.token", "secret")
        self.assert_accepted(promtool("check", "config", self.write("prometheus.yml")))

    def test_every_metric_is_explained_with_its_labels(self):
        explained = {}
        for words in PAGES["docs/monitoring.md"].first_column("Metrics"):
            name, _, labels = words.rstrip("}").partition("{")
            explained[name] = set(labels.split(",")) - {""}
        known = {}
        for name, labels in measured().items():
            if name.startswith("server_health_"):
                family = re.sub("_(bucket|count|sum)$", "", name)
                known.setdefault(family, set()).update(labels - {"job", "instance", "le"})
        self.assertEqual(explained, known)
