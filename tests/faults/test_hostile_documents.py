"""Check that hostile documents are read or refused in time, in constant memory. Many more: `tests.faults.documents`."""

from __future__ import annotations

import pytest

from tests.faults.documents import storm


@pytest.mark.slow
def test_hostile_documents_are_read_or_refused() -> None:
    toll = storm(400)
    assert set(toll.outcomes) <= {"read", "unreadable", "too-complex", "no-feed"}
    assert len(toll.outcomes) >= 3
    assert toll.outcomes["read"] > 50
    assert toll.grown < 100 * 1024


def test_an_encoding_that_there_is_not_breaks_nothing() -> None:
    """Check seed 8428, which misspells windows-1252: the parser of outlines reports a programming error."""
    assert sum(storm(1, 8428).outcomes.values()) == 1
