"""How often the sources of each kind would like to be polled."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


class Measured(NamedTuple):
    """What was measured of a kind of source."""

    level: float  # the daily average of the sum of all poll weights
    sources: int  # that follow their rhythm
    since: datetime


class Demand(NamedTuple):
    """What the sources of a kind ask for now."""

    total: float  # of all poll weights
    sources: int
