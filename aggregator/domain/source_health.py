"""Whether a source is well, from facts. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aggregator.domain.source import SourceState

if TYPE_CHECKING:
    from aggregator.domain.source import Source

_HICCUPS = 2  # failures in a row that are worth telling people about
_GRACE = timedelta(minutes=10)  # that a poll may be late without anything being wrong


def is_stale(source: Source, now: datetime) -> bool:
    """Say whether what a source shows may be old: it fails, was stopped, or is long overdue.

    A source that people paused is as they want it, and one hiccup is none of the readers' business.
    """
    if source.state is SourceState.STOPPED:
        return True
    if source.state is not SourceState.ACTIVE:
        return False
    never = source.last_success is None and source.failures > 0
    overdue = now - source.due > 2 * source.interval + _GRACE
    return never or source.failures >= _HICCUPS or overdue
