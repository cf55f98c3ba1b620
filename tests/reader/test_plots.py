"""Test the geometry of plots."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest

from aggregator.reader.plots import HEIGHT, WIDTH, column_plot

DAYS = [date(2026, 3, day) for day in (1, 2, 3)]


def test_columns_stand_on_the_axis_in_order_within_the_area() -> None:
    plot = column_plot(dict(zip(reversed(DAYS), (7, 0, 10), strict=True)))
    assert [(column.on.day, column.count) for column in plot.columns] == [(1, 10), (2, 0), (3, 7)]
    assert all(column.y + column.height == pytest.approx(HEIGHT) for column in plot.columns)
    assert plot.columns[0].height == HEIGHT
    assert plot.columns[1].height == 0
    ends = [(column.x, column.x + column.width) for column in plot.columns]
    assert all(end < start for (_, end), (start, _) in pairwise(ends))
    assert ends[0][0] >= 0
    assert ends[-1][1] <= WIDTH


@pytest.mark.parametrize(("highest", "top"), [(0, 1), (1, 1), (3, 5), (10, 10), (11, 20), (640, 1000)])
def test_the_scale_ends_at_a_round_number(highest: int, top: int) -> None:
    assert column_plot({DAYS[0]: highest}).top == top
