"""Keep variants of one test out of 'make test' that differ only in the text they are fed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def mostly_slow(values: Iterable[Any], *, quick: int) -> list[Any]:
    """Return all values as parameters; all but `quick` of them, spread evenly, are slow."""
    listed = list(values)
    kept = {number * len(listed) // quick for number in range(quick)}
    return [
        value if number in kept else pytest.param(value, marks=pytest.mark.slow) for number, value in enumerate(listed)
    ]
