"""Test the ids of this suite's parametrized tests."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.identifiers import fault, identifier

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (gzip.compress(b"text"), "packed"),
        ("two words", "two-words"),
        ("café <b>\x00", "cafe-b"),
        ("\x00", "packed"),
        ("https://a.example/?q=1", "https://a.example/-q=1"),
        ("long " * 40, "long-" * 11 + "long"),
        (7, None),
    ],
)
def test_values_are_shown_readably(value: object, shown: str | None) -> None:
    assert identifier(value, "packed") == shown


@pytest.mark.parametrize(
    "text",
    [
        "test_a[<object object at " + "0x7f41e73cc040>]",
        "test_a[" + "\\" + "x1f\\" + "x8b]",
        "test_a[12:00:01" + ".123456]",
        "test_a[17" + "95852000]",
        "test_a[0b1cf1e4-" + "6b0f-4f0e-9a3f-3f1b9f6f9d2c]",
    ],
    ids=["address", "bytes", "time", "seconds", "random"],
)
def test_what_may_differ_between_runs_is_found(text: str) -> None:
    assert fault(text)


def test_a_readable_identifier_is_fine() -> None:
    assert fault("tests/fetching/test_content_encoding.py::test_packed_bodies_are_unpacked[gzip-packed0]") is None


@pytest.mark.slow
def test_two_processes_collect_the_same_tests() -> None:
    def collected(seed: str) -> list[str]:
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--no-header", "-m", ""]
        environ = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
        return [line for line in done.stdout.splitlines() if "::" in line]

    first = collected("1")
    assert len(first) > 1000
    assert first == collected("2")
