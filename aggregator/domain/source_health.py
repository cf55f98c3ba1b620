"""Determine whether a source is out of date. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aggregator.domain.source import SourceState

if TYPE_CHECKING:
    from aggregator.domain.source import Source

_HICCUPS = 2  # consecutive failures that are reported
_GRACE = timedelta(minutes=10)  # how late a poll may be


def is_stale(source: Source, now: datetime) -> bool:
    """Return whether a source's items may be out of date: it fails, was stopped, or is long overdue.

    Paused sources don't count, nor does a single failure.
    """
    if source.state is SourceState.STOPPED:
        return True
    if source.state is not SourceState.ACTIVE:
        return False
    never = source.last_success is None and source.failures > 0
    overdue = now - source.due > 2 * source.interval + _GRACE
    return never or source.failures >= _HICCUPS or overdue
