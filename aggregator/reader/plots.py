"""Compute the geometry of plots that pages draw as SVG. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

WIDTH, HEIGHT = 720, 200  # of the plot's area, in units of its own
_GAP = 0.2  # share of a column's width
_STEPS = (1, 2, 5)  # of a scale, times a power of ten


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a plot: a day and its count."""

    on: date
    count: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Plot:
    """Columns over a scale from 0 to `top`."""

    columns: Sequence[Column]
    top: int


def column_plot(days: Mapping[date, int]) -> Plot:
    """Return a plot of counts by day, in the order of the days."""
    top = _scale_end(max(days.values(), default=0))
    step = WIDTH / max(len(days), 1)
    columns = [
        Column(
            on,
            count,
            round(place * step + step * _GAP / 2, 2),
            round(HEIGHT - HEIGHT * count / top, 2),
            round(step * (1 - _GAP), 2),
            round(HEIGHT * count / top, 2),
        )
        for place, (on, count) in enumerate(sorted(days.items()))
    ]
    return Plot(columns, top)


def _scale_end(highest: int) -> int:
    """Return the least round number that is not below the highest count."""
    power = 1
    while True:
        for step in _STEPS:
            if step * power >= highest:
                return step * power
        power *= 10
