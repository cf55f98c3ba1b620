"""Name the installed version of this product."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version


@cache
def product_version() -> str:
    """Return the installed version."""
    return version("activity-stream-aggregator")
