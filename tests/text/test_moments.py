"""Test points in time as people write them."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.text.moments import parse_moment

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-01", "2026-12-01T00:00"),
        ("2026-12-01T09:00", "2026-12-01T09:00"),
        (" 2026-12-01  09:00 ", "2026-12-01T09:00"),
        ("2026-12-01t09:00:30z", "2026-12-01T09:00:30"),
        ("2026-12-01 09:00+01:00", "2026-12-01T08:00"),
        ("today", "2026-11-30T00:00"),
        ("Tomorrow 9:00", "2026-12-01T09:00"),
        ("yesterday 23:59", "2026-11-29T23:59"),
        ("18:30", "2026-11-30T18:30"),
        ("9:00", "2026-12-01T09:00"),
        ("12:00", "2026-12-01T12:00"),
        ("2h", "2026-11-30T14:00"),
        ("1d 6h", "2026-12-01T18:00"),
    ],
)
def test_times_are_read(text: str, moment: str) -> None:
    assert parse_moment(text, NOW) == datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30d", "2026-10-31T12:00"),
        ("18:30", "2026-11-29T18:30"),
        ("12:00", "2026-11-30T12:00"),
        ("2026-01-01", "2026-01-01T00:00"),
    ],
)
def test_past_times_are_counted_back(text: str, moment: str) -> None:
    assert parse_moment(text, NOW, past=True) == datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "25:00", "9:60", "tomorrow at 9", "today 25:00", "2026-13-01", "90", "9" * 9 + "w", "2026-12-01" * 9],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a time"):
        parse_moment(text, NOW)


@given(st.text(max_size=60), st.booleans())
def test_no_text_breaks_the_parser(text: str, past: bool) -> None:
    with contextlib.suppress(ValueError):
        assert parse_moment(text, NOW, past=past).utcoffset() == UTC.utcoffset(None)
