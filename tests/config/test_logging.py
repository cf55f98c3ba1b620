"""Test log lines: constant phrases with fields, as text or JSON, from all libraries, and never a token."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from aggregator.config.logging import bind, configure_logging


def _lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    seen = capsys.readouterr()
    assert seen.out == ""
    return seen.err.splitlines()


def test_json_lines_have_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    bind(task="t1")
    structlog.get_logger("ours").info("source polled", source="news", new=2)
    logging.getLogger("theirs").warning("it %s", "happened")
    ours, theirs = (json.loads(line) for line in _lines(capsys))
    assert (ours["event"], ours["source"], ours["new"], ours["task"]) == ("source polled", "news", 2, "t1")
    assert (ours["level"], ours["logger"]) == ("info", "ours")
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["level"]) == ("it happened", "warning")


def test_exceptions_are_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    try:
        _ = 1 / int("0")
    except ZeroDivisionError:
        structlog.get_logger("ours").exception("it broke")
    [line] = _lines(capsys)
    assert "ZeroDivisionError" in json.loads(line)["exception"]


def test_text_lines_are_readable(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "text")
    structlog.get_logger("ours").info("source polled", source="news")
    [line] = _lines(capsys)
    assert "source polled" in line
    assert "source=news" in line
    assert "\x1b" not in line  # no colors without a terminal


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_traceback_has_no_local_variables(capsys: pytest.CaptureFixture[str], form: str) -> None:
    configure_logging("info", form)
    token = "very-secret"
    try:
        int("no number", base=len(token))
    except ValueError:
        structlog.get_logger("ours").exception("it broke")
    output = "".join(_lines(capsys))
    assert "ValueError" in output
    assert "very-secret" not in output


def test_what_others_say_cannot_add_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "text")
    structlog.get_logger("ours").warning("source failed", reason="bad\n2026-01-01 [info] all is well \x1b[2K")
    [line] = _lines(capsys)
    assert "\x1b" not in line


def test_the_level_counts_for_ours_and_theirs(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("warning", "text")
    structlog.get_logger("ours").info("not said")
    logging.getLogger("theirs").info("not said")
    assert _lines(capsys) == []


@pytest.mark.parametrize("level", ["debug", "info"])
@pytest.mark.parametrize("name", ["tweepy.client", "urllib3.connectionpool", "requests_oauthlib", "kombu.connection"])
def test_libraries_that_print_request_headers_stay_quiet(
    capsys: pytest.CaptureFixture[str], level: str, name: str
) -> None:
    configure_logging(level, "text")
    logging.getLogger(name).debug("Authorization: Bearer very-secret")
    assert "very-secret" not in "".join(_lines(capsys))
