"""Measure how long the threads of this process have waited for the database."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

READ_ONLY = "25006"  # SQLSTATE of a write on a standby
pinging: dict[int, float] = {}  # by thread: when the check of a pooled connection began, monotonic


def longest_ping() -> float:
    """Return the longest current check of a pooled connection in seconds; 0: none runs."""
    return longest(pinging)


def longest(waiting: Mapping[int, float]) -> float:
    """Return the seconds since the earliest of these times; 0: there is none."""
    now = time.monotonic()
    return max((now - since for since in tuple(waiting.values())), default=0.0)
