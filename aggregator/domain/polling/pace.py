"""Measure the poll rate that sources of each kind need."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


class Measured(NamedTuple):
    """The stored measurement of a kind of source."""

    level: float  # daily average of the sum of all poll weights
    sources: int  # number of adaptive sources
    since: datetime


class Demand(NamedTuple):
    """The current demand of the sources of a kind."""

    total: float  # sum of poll weights
    sources: int
