"""Documents made to break us: read or refused, each in time, in flat memory. Many more: `tests.faults.documents`."""

from __future__ import annotations

from tests.faults.documents import storm


def test_hostile_documents_are_read_or_refused() -> None:
    toll = storm(400)
    assert set(toll.outcomes) <= {"read", "unreadable", "too-complex", "no-feed"}
    assert len(toll.outcomes) >= 3
    assert toll.outcomes["read"] > 50
    assert toll.grown < 100 * 1024
