"""Measure the poll rate that sources of each kind need."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

_KEPT = timedelta(minutes=1)  # after this, the pace is measured again
_KEPT_LONGER = timedelta(milliseconds=1)  # per source: many sources change their sum by little, and it costs more
_LONGEST_KEPT = timedelta(minutes=15)


class Measured(NamedTuple):
    """The stored measurement of a kind of source."""

    level: float  # daily average of the sum of all poll weights
    sources: int  # number of adaptive sources
    since: datetime


class Demand(NamedTuple):
    """The current demand of the sources of a kind."""

    total: float  # sum of poll weights
    sources: int


def is_current(known: Collection[Measured], now: datetime) -> bool:
    """Return whether the last measurements need not be repeated yet."""
    sources = sum(measured.sources for measured in known)
    kept = min(_KEPT + _KEPT_LONGER * sources, _LONGEST_KEPT)
    return bool(known) and all(timedelta() <= now - measured.since < kept for measured in known)
