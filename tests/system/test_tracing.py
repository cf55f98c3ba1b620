from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from aggregator.system import tracing
from aggregator.system.thread_pools import in_database_thread
from tests.collectors import Collector, collecting

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
        tracing.start("service")
        yield collector
        tracing.stop()


def test_a_span_is_sent_with_its_service_and_attributes(collector: Collector) -> None:
    with tracing.span("poll", sources=3):
        tracing.annotate(revision=7)
    tracing.stop()
    [span] = collector.spans
    assert (span.name, span.service, span.parent) == ("poll", "service", "")
    assert span.attributes == {"sources": 3, "revision": 7}
    assert not span.failed


def test_spans_of_coroutines_and_database_threads_belong_to_the_block_that_started_them(collector: Collector) -> None:
    def stored() -> None:
        with tracing.span("inner"):
            pass

    async def work() -> None:
        with tracing.span("middle"):
            await in_database_thread(stored)

    with tracing.span("outer"):
        asyncio.run(work())
    tracing.stop()
    outer, middle, inner = (collector.named(name)[0] for name in ("outer", "middle", "inner"))
    assert (middle.parent, inner.parent) == (outer.id, middle.id)
    assert {outer.trace, middle.trace, inner.trace} == {outer.trace}


def test_a_span_continues_the_trace_of_another_process(collector: Collector) -> None:
    with tracing.span("here"):
        parent = tracing.traceparent()
    with tracing.span("there", parent):
        assert tracing.trace_id() == parent[3:35]
    tracing.stop()
    assert collector.named("there")[0].parent == collector.named("here")[0].id


@pytest.mark.parametrize("parent", ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "é" * 99])
def test_a_parent_that_is_none_starts_a_new_trace(collector: Collector, parent: str) -> None:
    with tracing.span("there", parent):
        pass
    tracing.stop()
    assert collector.named("there")[0].parent == ""


def test_an_error_is_named_by_its_type_only(collector: Collector) -> None:
    with pytest.raises(ValueError, match="secret"), tracing.span("poll"):
        raise ValueError("https://news.example/feed?token=secret")
    tracing.stop()
    [span] = collector.spans
    assert span.failed
    assert span.attributes == {"error.type": "ValueError"}
    assert b"secret" not in b"".join(collector.raw)


def test_nothing_is_recorded_or_imported_without_an_endpoint() -> None:
    script = (
        "import sys; from aggregator.system import tracing; tracing.start('service')\n"
        "with tracing.span('poll', sources=1) as span: tracing.annotate(revision=1)\n"
        "tracing.stop(); print(span, repr(tracing.traceparent()), 'opentelemetry' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env={})
    assert done.stdout.split() == ["None", "''", "False"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "TRUE"}, False),
    ],
)
def test_the_standard_variables_decide(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *, expected: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert tracing.is_configured() is expected


def test_a_collector_that_is_away_delays_the_end_by_seconds_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    tracing.start("service")
    with tracing.span("poll"):
        pass
    tracing.stop()  # pytest-timeout would end a test that hangs
    assert tracing.traceparent() == ""
