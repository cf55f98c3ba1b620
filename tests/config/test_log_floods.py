from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import structlog

from aggregator.config.log_floods import MOST, WINDOW, FloodSummary
from aggregator.config.logging import configure_logging

if TYPE_CHECKING:
    import pytest


def _events(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


class _Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _configured() -> _Time:
    time = _Time()
    configure_logging("info", "json")
    processors = structlog.get_config()["processors"]
    assert isinstance(processors[0], FloodSummary)
    structlog.configure(processors=[FloodSummary(time), *processors[1:]])
    return time


def test_alike_failures_are_counted_and_the_number_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    time = _configured()
    log = structlog.get_logger("ours")
    for number in range(500):
        log.warning("source failed", source=f"channel-{number}", code="http-status")
    assert len(_events(capsys)) == MOST
    time.now = WINDOW
    log.info("source polled", source="other")
    log.warning("source failed", source="channel-1", code="http-status")
    summary, *others = [event for event in _events(capsys) if event["event"] != "source polled"]
    assert (summary["event"], summary["line"], summary["count"]) == (
        "alike log lines left out",
        "source failed",
        500 - MOST,
    )
    assert (summary["code"], summary["level"]) == ("http-status", "warning")
    assert [event["source"] for event in others] == ["channel-1"]


def test_other_failures_and_ordinary_lines_are_all_logged(capsys: pytest.CaptureFixture[str]) -> None:
    time = _configured()
    log = structlog.get_logger("ours")
    for number in range(MOST + 5):
        log.warning("source failed", code="http-status")
        log.info("source polled", source=str(number))
    log.warning("source failed", code="timeout")
    log.error("plugin failed")
    events = [(event["event"], event.get("code")) for event in _events(capsys)]
    assert events.count(("source polled", None)) == MOST + 5
    assert events.count(("source failed", "http-status")) == MOST
    assert ("source failed", "timeout") in events
    assert ("plugin failed", None) in events
    assert time.now == 0


def test_what_stays_below_the_limit_is_not_summarized(capsys: pytest.CaptureFixture[str]) -> None:
    time = _configured()
    log = structlog.get_logger("ours")
    for minute in range(5):
        time.now = minute * WINDOW
        for _ in range(MOST):
            log.warning("source failed", code="http-status")
    assert {event["event"] for event in _events(capsys)} == {"source failed"}


def test_many_kinds_of_lines_take_bounded_memory(capsys: pytest.CaptureFixture[str]) -> None:
    time = _configured()
    summary = structlog.get_config()["processors"][0]
    for number in range(5000):
        structlog.get_logger("ours").warning(f"phrase {number}", code="x")
    assert len(_events(capsys)) == 5000
    assert len(summary._kinds) <= 1001
    assert time.now == 0
