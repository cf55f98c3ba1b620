"""Test when a day of a quota begins and ends."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from aggregator.domain.billing.quota import Quota

QUOTA = Quota("service", "a service", 10, ZoneInfo("America/Los_Angeles"))


@pytest.mark.parametrize(
    ("now", "day", "ends"),
    [
        ("2026-11-30T07:59:59", "2026-11-29", "2026-11-30T08:00:00"),
        ("2026-11-30T08:00:00", "2026-11-30", "2026-12-01T08:00:00"),
        ("2026-07-01T06:59:59", "2026-06-30", "2026-07-01T07:00:00"),
        ("2026-11-01T06:59:59", "2026-10-31", "2026-11-01T07:00:00"),
        ("2026-11-01T12:00:00", "2026-11-01", "2026-11-02T08:00:00"),
    ],
    ids=["before midnight", "at midnight", "summer", "before the change", "the day of the change"],
)
def test_a_day_begins_at_midnight_in_its_time_zone(now: str, day: str, ends: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert QUOTA.day(moment) == day
    assert QUOTA.ends(moment) == datetime.fromisoformat(ends).replace(tzinfo=UTC)
