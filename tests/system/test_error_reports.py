from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.collectors import Collector, collecting

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROGRAM = """
import logging, os, structlog
from aggregator.config.logging import configure_logging
from aggregator.config.observability import observing
configure_logging("info", "json")
log = structlog.get_logger("aggregator.test")

class Inner(Exception):
    pass

def poll(token, title):
    try:
        raise Inner(f"the token {token} of {title}")
    except Inner as inner:
        raise ValueError(f"https://news.example/?key={token}") from inner

with observing("worker"):
    log.warning("source failed", reason="the token hunter2")
    try:
        poll("hunter2", "A confidential headline")
    except ValueError:
        log.exception("plugin failed", address="https://news.example/?key=hunter2")
    logging.getLogger("library").error("token %s", "hunter2")
    logging.getLogger("library").error("the token hunter2")
"""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


def _run(**environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False, env=environ)


def test_a_report_has_the_phrase_the_types_and_the_places_only(collector: Collector) -> None:
    done = _run(SENTRY_DSN=collector.dsn)
    assert done.returncode == 0, done.stderr
    failed = next(report for report in collector.reports if report.get("message") == "plugin failed")
    assert [value["type"] for value in failed["exception"]["values"]] == ["Inner", "ValueError"]
    frames = failed["exception"]["values"][-1]["stacktrace"]["frames"]
    assert {frame["function"] for frame in frames} >= {"poll"}
    assert all(set(frame) <= {"filename", "function", "module", "lineno", "in_app"} for frame in frames)
    assert (failed["logger"], failed["level"]) == ("aggregator.test", "error")
    everything = json.dumps(collector.reports).encode() + b"".join(collector.raw)
    assert b"hunter2" not in everything
    assert b"headline" not in everything
    assert b"news.example" not in everything
    messages = sorted(report["message"] for report in collector.reports)
    assert messages == ["a message of a library", "plugin failed", "token %s"]  # warnings are not reported


def test_nothing_is_imported_without_an_address() -> None:
    script = "import sys, aggregator.config.observability as o; o.start_observing('x'); o.stop_observing(); "
    script += "print([name for name in ('sentry_sdk', 'opentelemetry') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env={})
    assert done.stdout.strip() == "[]"


def test_an_invalid_address_is_an_error_without_it() -> None:
    done = _run(SENTRY_DSN="nonsense-hunter3")
    assert done.returncode != 0
    assert "SENTRY_DSN is not an address of Sentry." in done.stderr
    assert "hunter3" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "extra"),
    [
        ("SENTRY_DSN", "http://key@127.0.0.1:9/1", "sentry"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9", "otel"),
    ],
)
def test_a_missing_extra_is_named(variable: str, value: str, extra: str) -> None:
    without = "import sys; sys.modules['sentry_sdk'] = sys.modules['opentelemetry.sdk.trace'] = None\n"
    script = without + "import aggregator.config.observability as o; o.start_observing('worker')"
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, env={variable: value}
    )
    assert f"activity-stream-aggregator[{extra}]" in done.stderr
    assert "SettingsError" in done.stderr
