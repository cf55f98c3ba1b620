"""Test that one trace leads from a dispatch to the revision that a reader shows, also from recycled processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.collectors import Collector, collecting
from tests.processes import Processes, eventually
from tests.upstream import Entry, Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(300), pytest.mark.slow]

_STEPS = {"dispatch", "poll", "poll source", "http request", "store result", "revision visible"}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


def _traces(collector: Collector) -> dict[str, set[str]]:
    steps: dict[str, set[str]] = {}
    with collector.lock:
        for span in collector.spans:
            steps.setdefault(span.trace, set()).add(span.name)
    return steps


def test_a_new_item_is_traced_from_dispatch_to_the_reader(
    tmp_path: Path, postgresql_url: str, redis_url: str, collector: Collector
) -> None:
    environ = {
        "AGGREGATOR_DATABASE_URL": postgresql_url,
        "AGGREGATOR_BROKER_URL": redis_url,
        "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
        "AGGREGATOR_HOST_SPACING": "0",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    with Publisher(feeds=1, entries=2) as publisher, Processes(tmp_path, environ) as stack:
        stack.aggregator("migrate")
        stack.worker("worker", "--max-tasks-per-child", "1")
        stack.scheduler()
        stack.reader()
        address = publisher.url("/good/1.xml?key=hunter2")
        stack.aggregator("source", "add", "--every", "1", address)
        publisher.feeds["1"].entries.insert(0, Entry("fresh", "A headline", "Just in."))
        eventually("the new entry arrives", lambda: any(item["native_id"] == "fresh" for item in stack.items()))
        whole = eventually(
            "one trace has every step", lambda: [steps for steps in _traces(collector).values() if steps >= _STEPS]
        )
        assert whole
        children = eventually(
            "several processes sent spans before they were recycled",
            lambda: len({span.process for span in collector.named("poll")}) > 3,
        )
        assert children
        visible = collector.named("revision visible")
        stored = {span.attributes.get("revision") for span in collector.named("store result")}
        assert {span.attributes["revision"] for span in visible} & stored
        assert {span.service for span in visible} == {"aggregator-reader"}
    everything = b"".join(collector.raw)
    assert b"hunter2" not in everything
    assert b"headline" not in everything
