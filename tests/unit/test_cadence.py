"""When to poll next, and why."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aggregator.cadence import LONGEST, after_failure, after_silence, after_success, spoken
from tests.building import NOON

QUARTER = timedelta(minutes=15)


def test_a_source_that_answers_keeps_its_interval() -> None:
    assert after_success(NOON, QUARTER) == (NOON + QUARTER, "every 15 min")


def test_a_publisher_makes_it_later_never_earlier() -> None:
    later, sooner = NOON + timedelta(hours=2), NOON + timedelta(minutes=1)
    assert after_success(NOON, QUARTER, later).at == later
    assert "the publisher asked" in after_success(NOON, QUARTER, later).reason
    assert after_success(NOON, QUARTER, sooner) == (NOON + QUARTER, "every 15 min")


def test_failures_wait_twice_as_long_each_time_up_to_a_day_and_never_for_ever() -> None:
    waits = [after_failure(NOON, QUARTER, failures).at - NOON for failures in range(1, 200)]
    assert waits[:4] == [QUARTER, 2 * QUARTER, 4 * QUARTER, 8 * QUARTER]
    assert max(waits) == LONGEST
    assert waits == sorted(waits)


def test_a_source_polled_less_than_daily_fails_no_faster() -> None:
    week = timedelta(days=7)
    assert after_failure(NOON, week, 5).at == NOON + week


def test_a_wish_of_the_other_side_counts_after_a_failure_too() -> None:
    until = NOON + timedelta(hours=3)
    assert after_failure(NOON, QUARTER, 1, until).at == until
    assert after_failure(NOON, QUARTER, 1, NOON + timedelta(minutes=1)).at == NOON + QUARTER
    assert after_failure(NOON, QUARTER, 2).reason == "failed 2 times in a row: again after 30 min"


def test_a_host_that_wants_silence_gets_it_and_the_source_is_not_blamed() -> None:
    until = NOON + timedelta(hours=3)
    assert after_silence(NOON, QUARTER, until) == (until, "its host asked to be left alone: again after 3 h")
    assert after_silence(NOON, QUARTER, NOON + timedelta(minutes=1)).at == NOON + QUARTER
    assert after_silence(NOON, QUARTER).at == NOON + QUARTER


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(), "0 s"),
        (timedelta(seconds=90), "90 s"),
        (timedelta(minutes=15), "15 min"),
        (timedelta(hours=2, minutes=30), "2.5 h"),
        (timedelta(days=3), "3 d"),
    ],
)
def test_spans_in_words(span: timedelta, words: str) -> None:
    assert spoken(span) == words
