"""Format durations."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta


def spoken(span: timedelta) -> str:
    """Return a duration in words: "90 s", "15 min", "2.5 h", "3 d"."""
    seconds = span.total_seconds()
    for unit, length, least in (("d", 86400, 2), ("h", 3600, 2), ("min", 60, 2)):
        if seconds >= least * length:
            return f"{round(seconds / length, 1):g} {unit}"
    return f"{round(seconds, 1):g} s"
