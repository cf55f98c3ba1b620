"""Test the files of deploy/monitoring: every metric exists, and each alert fires and resolves."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from aggregator.domain.monitoring.counts import BYTES, DELAY, DELAY_SECONDS, ITEMS, POLLS, REQUESTS, CountKey
from aggregator.domain.monitoring.system_facts import (
    BrokerFacts,
    BudgetFacts,
    DatabaseFacts,
    QueueFacts,
    ReplicaFacts,
    SourceCounts,
    SystemFacts,
    TableSize,
)
from aggregator.domain.polling.pushes import PushState
from aggregator.reader.metrics.requests import RequestMetrics
from aggregator.reader.metrics.snapshot import FactReaders, Snapshots
from tests.building import NOON
from tests.deployment.compose import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = ROOT / "deploy" / "monitoring"
DASHBOARD = json.loads((FOLDER / "grafana" / "dashboards" / "aggregator.json").read_text(encoding="utf-8"))
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
_NAME = re.compile(r"\b(?:aggregator|process)_[a-z_]+\b")
_SELECTOR = re.compile(r"\b((?:aggregator|process)_[a-z_]+)\{([^}]*)\}")

FULL = SystemFacts(
    at=NOON,
    revision=1,
    changed=NOON,
    last_tick=NOON,
    sources=[SourceCounts("rss", "active", 5, 1, 1, 1, 1, 1, NOON)],
    oldest_due=NOON - timedelta(hours=1),
    paused_hosts=1,
    refusals={("x", "credits"): 1},
    alerts={"source-stopped": 1},
    queue=QueueFacts(1, 1, NOON),
    unread_entries=1,
    database=DatabaseFacts("postgresql", 1, [TableSize("activity", 1, 1)], 1, 100),
    counts={
        CountKey(POLLS, "rss", "failed:too-slow"): 1,
        CountKey(ITEMS, "rss", "new"): 1,
        CountKey(REQUESTS, "rss"): 1,
        CountKey(BYTES, "rss"): 1,
        CountKey(DELAY, "web", "60"): 1,
        CountKey(DELAY_SECONDS, "web"): 30,
    },
    budgets=[BudgetFacts("x", "X", 1, 1, 1, 1, 1.0, None)],
    pushes=[PushState("bluesky", True, NOON, NOON, NOON)],
)

with_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool (Debian's package 'prometheus') is not installed"
)


@pytest.fixture(scope="module")
def exposed() -> dict[str, set[str]]:
    """Return the labels of each sample name of a real exposition."""
    registry = CollectorRegistry()
    RequestMetrics(registry).observe("/", 200, 0.0)
    replica = ReplicaFacts(1, 1.0, None, primary_away=False, reads={"replica": 1})
    snapshots = Snapshots(FactReaders(lambda: FULL, lambda: BrokerFacts({"feeds": 1}, 1), lambda: replica))
    snapshots._read()
    registry.register(snapshots)
    ProcessCollector(registry=registry)
    found: dict[str, set[str]] = {"up": {"job", "instance"}}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def _expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in RULES)
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


def test_every_name_that_rules_and_dashboard_use_exists(exposed: dict[str, set[str]]) -> None:
    used = {name for expression in _expressions() for name in _NAME.findall(expression)}
    assert len(used) > 30
    assert used - exposed.keys() == set()


def test_every_label_that_they_select_exists(exposed: dict[str, set[str]]) -> None:
    for expression in _expressions():
        for name, selection in _SELECTOR.findall(expression):
            labels = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", selection))
            assert labels <= exposed[name] | {"job", "instance"}, expression


def test_nearly_every_metric_is_on_the_dashboard(exposed: dict[str, set[str]]) -> None:
    used = {name for expression in _expressions() for name in _NAME.findall(expression)}
    suffixes = ("_created", "_count", "_sum")
    ours = {name for name in exposed if name.startswith("aggregator_") and not name.endswith(suffixes)}
    assert ours - used <= {"aggregator_snapshot_duration_seconds", "aggregator_revision"}


def test_legends_use_labels_that_the_query_keeps() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            grouped = re.search(r"by \(([^)]*)\)", target["expr"])
            if grouped:
                assert shown <= {label.strip() for label in grouped[1].split(",")}, panel["title"]


def test_each_alert_is_explained_and_tested() -> None:
    names = {rule["alert"] for rule in RULES}
    tested = yaml.safe_load((FOLDER / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]
    assert {case["name"] for case in tested} == names
    manual = (ROOT / "docs" / "how-to" / "operate.md").read_text(encoding="utf-8")
    assert {name for name in names if f"`{name}`" not in manual} == set()
    assert all(rule["labels"]["severity"] in {"page", "warning", "info"} for rule in RULES)


@with_promtool
def test_each_alert_fires_and_resolves() -> None:
    for words in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run(
            ["promtool", *words], check=False, cwd=FOLDER, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr


@with_promtool
def test_prometheus_accepts_the_configuration() -> None:
    done = subprocess.run(
        ["promtool", "check", "config", "prometheus.yml"],
        check=False,
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
