from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aggregator.sources.bluesky.client import limit_reached_until

NOW = datetime(2026, 11, 1, 10, tzinfo=UTC)
SOON = int((NOW + timedelta(minutes=4)).timestamp())


def test_a_limit_ends_when_its_header_says() -> None:
    headers = {"RateLimit-Limit": "3000", "RateLimit-Remaining": "0", "RateLimit-Reset": str(SOON)}
    assert limit_reached_until(headers, NOW) == NOW + timedelta(minutes=4)
    assert limit_reached_until({**headers, "RateLimit-Remaining": "1"}, NOW) is None
    assert limit_reached_until({}, NOW) is None


@pytest.mark.parametrize("reset", ["", "soon", "-5", "1e9", "²", "1000", "9" * 30])
def test_a_limit_without_a_usable_end_is_none(reset: str) -> None:
    assert limit_reached_until({"ratelimit-remaining": "0", "ratelimit-reset": reset}, NOW) is None


def test_a_limit_lasts_a_day_at_most() -> None:
    headers = {"ratelimit-remaining": "0", "ratelimit-reset": "99999999999"}
    assert limit_reached_until(headers, NOW) == NOW + timedelta(days=1)
