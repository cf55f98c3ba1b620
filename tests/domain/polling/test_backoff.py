"""Test the length of pauses: each is twice as long as the last, up to a day, and normal responses relax it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aggregator.domain.polling.backoff import EASING, FIRST_PAUSE, LONGEST_PAUSE, MOST_STRIKES, is_eased, next_pause

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("strikes", "pause"),
    [(0, FIRST_PAUSE), (1, 2 * FIRST_PAUSE), (3, 8 * FIRST_PAUSE), (5, LONGEST_PAUSE), (MOST_STRIKES, LONGEST_PAUSE)],
)
def test_each_pause_is_twice_as_long_up_to_a_day(strikes: int, pause: timedelta) -> None:
    assert next_pause(strikes) == pause


def test_an_endpoint_may_begin_with_a_shorter_pause() -> None:
    assert next_pause(2, timedelta(minutes=15)) == timedelta(hours=1)


@pytest.mark.parametrize(
    ("strikes", "paused_until", "eased"),
    [(0, None, False), (1, None, True), (1, NOW, False), (1, NOW - EASING, True), (0, NOW - EASING, False)],
)
def test_normal_responses_relax_the_back_off_an_hour_after_the_pause(
    strikes: int,
    paused_until: datetime | None,
    eased: bool,
) -> None:
    assert is_eased(strikes, paused_until, NOW) is eased
