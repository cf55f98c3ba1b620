"""Test that checks run side by side: one that fails or hangs stops no other."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from aggregator.domain.errors import SetupError
from aggregator.domain.monitoring.findings import error, warning
from aggregator.services.doctor.examination import examine, ordered
from tests.services.doctor.subjects import subject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aggregator.domain.monitoring.findings import Finding
    from aggregator.services.doctor.examination import Subject

LATE, GRAVE = warning("late", "Late.", "Wait."), error("grave", "Grave.", "Act.")


def test_checks_that_fail_or_hang_stop_no_other(tmp_path: Path) -> None:
    ending = threading.Event()

    def hanging(_: Subject) -> Iterator[Finding]:
        ending.wait(30)
        yield LATE

    def broken(_: Subject) -> Iterator[Finding]:
        raise ZeroDivisionError("nothing")

    def impossible(_: Subject) -> Iterator[Finding]:
        raise SetupError("No.")

    began = time.monotonic()
    checks = {"hanging": hanging, "broken": broken, "impossible": impossible, "good": lambda _: [LATE, GRAVE]}
    found = examine(subject({"DATA_DIR": str(tmp_path)}), checks, limit=0.3)
    ending.set()
    assert time.monotonic() - began < 10
    codes = [finding.code for finding in found]
    assert codes == ["hanging-slow", "broken-broken", "impossible-unknown", "late", "grave"]
    assert "ZeroDivisionError: nothing" in found[1].problem


def test_errors_come_first_and_each_finding_once() -> None:
    assert ordered([LATE, GRAVE, LATE]) == [GRAVE, LATE]
