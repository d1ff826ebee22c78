"""The alert rules fire when they should, and rules and dashboard query only what is measured."""

import collections
import json
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.factory import create_app
from app.settings import Settings
from tests.docs.pages import DOCS, PAGES
from tests.requirement import need

OF_PROMETHEUS = {"job", "instance"}  # labels that Prometheus adds to every series


def promtool(*arguments):
    need(shutil.which("promtool"), "promtool (Debian package prometheus)")
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True)


def alerts():
    """The alerting rules, by name."""
    groups = yaml.safe_load((DOCS / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def dashboard_queries():
    """All PromQL in the dashboard as (title, query), with Grafana's variables replaced."""
    dashboard = json.loads((DOCS / "dashboard.json").read_text())
    queries = [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel["targets"]]
    queries += [(each["name"], each["expr"]) for each in dashboard["annotations"]["list"]]
    for each in dashboard["templating"]["list"]:
        if each["type"] == "query":
            queries.append((each["name"], re.fullmatch(r"label_values\((.*), \w+\)", each["query"]["query"])[1]))
    values = {"$__rate_interval": "5m", "$job": "server-health", "$instance": ".*"}
    return [
        (title, re.sub(r"\$\w+", lambda variable: values[variable[0]], expression)) for title, expression in queries
    ]


def measured():
    """The name of every series of `/metrics`, with the names of its labels."""
    text = create_app(Settings.load({})).test_client().get("/metrics").text
    found = {"up": set(OF_PROMETHEUS)}
    for family in text_string_to_metric_families(text):
        if not family.samples:  # it has a series for each dependency of which it is known
            found[family.name] = OF_PROMETHEUS | {"dependency"}
        for sample in family.samples:
            found.setdefault(sample.name, set(OF_PROMETHEUS)).update(sample.labels)
    return found


def queried(expression):
    """The metrics in a query with the labels that select them, and the labels of every `by`."""
    by = {label for group in re.findall(r"\bby \(([^)]*)\)", expression) for label in re.split(r"\W+", group)}
    bare = re.sub(r"\bby \([^)]*\)", "", expression)
    selectors = collections.defaultdict(set)
    for name, braces in re.findall(r"\b((?:server_health|process)_\w+|up)\b(?:\{([^}]*)\})?", bare):
        selectors[name] |= set(re.findall(r"(\w+)\s*[=!]", re.sub(r"""(["']).*?\1""", "", braces)))
    return selectors, by


class QueriesTest(unittest.TestCase):
    def queries(self):
        yield from ((name, rule["expr"]) for name, rule in alerts().items())
        for name, rule in alerts().items():
            # The queries in a rule's annotations.
            for text in re.findall(r'printf "([^"]*)"', json.dumps(rule["annotations"]).replace('\\"', '"')):
                yield name, text
        yield from dashboard_queries()

    def test_queries_use_only_metrics_and_labels_that_exist(self):
        known = measured()
        for where, expression in self.queries():
            with self.subTest(where, expression=expression):
                selectors, by = queried(expression)
                self.assertTrue(selectors)
                for name, labels in selectors.items():
                    self.assertIn(name, known)
                    self.assertLessEqual(labels | by, known[name])

    def test_the_dashboard_shows_every_metric(self):
        shown = {name for _, expression in dashboard_queries() for name in queried(expression)[0]}
        families = {re.sub("_(bucket|count|sum)$", "", name) for name in shown}
        for name in measured():
            if name.startswith("server_health_"):
                with self.subTest(name):
                    self.assertIn(re.sub("_(bucket|count|sum)$", "", name), families)

    def test_promtool_accepts_the_queries_of_the_dashboard(self):
        rules = [
            {"record": f"query:{number}", "expr": expression}
            for number, (_, expression) in enumerate(dashboard_queries())
        ]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "rules.yml")
            file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
            checked = promtool("check", "rules", file)
        self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_the_panels_of_the_dashboard_do_not_overlap(self):
        dashboard = json.loads((DOCS / "dashboard.json").read_text())
        taken = collections.Counter(
            (column, row)
            for place in (panel["gridPos"] for panel in dashboard["panels"])
            for column in range(place["x"], place["x"] + place["w"])
            for row in range(place["y"], place["y"] + place["h"])
        )
        self.assertEqual(max(taken.values()), 1)
        self.assertLess(max(column for column, _ in taken), 24)


class AlertsTest(unittest.TestCase):
    def test_promtool_accepts_the_alert_rules(self):
        checked = promtool("check", "rules", DOCS / "alerts.yml")
        self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_the_alerts_fire_when_they_should_and_only_then(self):
        tested = promtool("test", "rules", DOCS / "alerts.test.yml")
        self.assertEqual(tested.returncode, 0, tested.stdout + tested.stderr)

    def test_each_alert_is_tested_silent_and_firing(self):
        shown = collections.defaultdict(set)
        for test in yaml.safe_load((DOCS / "alerts.test.yml").read_text())["tests"]:
            for case in test["alert_rule_test"]:
                shown[case["alertname"]].add(bool(case["exp_alerts"]))
        self.assertEqual(shown, {key: {False, True} for key in alerts()})

    def test_each_alert_has_a_summary_a_description_a_runbook_and_a_severity(self):
        for name, rule in alerts().items():
            with self.subTest(name):
                self.assertEqual(rule["annotations"].keys(), {"summary", "description", "runbook_url"})
                page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
                self.assertEqual(page, "https://example.org/server-health/docs/operations.md")
                self.assertIn(anchor, PAGES["docs/operations.md"].anchors)
                self.assertRegex(rule["labels"]["severity"], r"\A(critical|warning|.*critical.*else.*warning.*)\Z")

    def test_no_query_depends_on_the_name_of_a_job_or_a_dependency(self):
        for name in ("alerts.yml", "dashboard.json"):
            named = re.findall(r"""\b(?:job|dependency)[=!]~?\\?["']([^"'\\]*)""", (DOCS / name).read_text())
            self.assertLessEqual(set(named), {"%s", "$job"}, name)
