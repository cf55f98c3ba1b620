"""Test rules 10 to 13, 21, 22 and 31 as pure decisions: publishers' hints and the resulting intervals."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.errors import SlowFirstByteError, StatusError, UnreachableError, UnreadableError
from aggregator.domain.polling.results import PublisherHints
from aggregator.domain.polling.schedule import (
    LONGEST_DEAD,
    PollBudget,
    PublishingProfile,
    Terms,
    after_failure,
    after_success,
    observed,
    poll_weight,
)
from aggregator.sources.rss.document import Announced
from aggregator.sources.rss.polling_hints import hints_of
from tests.building import NOON

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from aggregator.domain.errors import SourceError

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FLOOR = 15 * MINUTE
EAGER = PollBudget(level=1.0, per_second=1000.0)  # would poll everything every minute
SAYS_NOTHING = Announced()


def _next(
    headers: Mapping[str, str] | None = None,
    announced: Announced = SAYS_NOTHING,
    *,
    now: datetime = NOON,
    pace: PollBudget | None = EAGER,
) -> datetime:
    hints, _ = hints_of(headers or {}, announced, now, slow=False, floor=FLOOR)
    return after_success(now, Terms(7, None, FLOOR), poll_weight=1.0, pace=pace, hints=hints).at


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.integers(60, 86400), st.none() | st.integers(1, 86400), st.integers())
def test_rule_10_no_rhythm_and_no_word_goes_below_the_floor(
    poll_weight: float, per_second: float, floor: int, every: int | None, number: int
) -> None:
    least = timedelta(seconds=floor)
    terms = Terms(number % 2**62, timedelta(seconds=every) if every else None, MINUTE)
    pace = PollBudget(1.0, per_second)
    assert (
        after_success(NOON, terms, poll_weight=poll_weight, pace=pace, hints=PublisherHints(floor=least)).at
        >= NOON + least
    )
    failed = after_failure(NOON, terms, usual=MINUTE, failures=1, failure_weight=0.25)
    assert failed.at >= NOON + terms.floor


@pytest.mark.parametrize(
    ("headers", "least"),
    [
        ({"Cache-Control": "max-age=14400"}, 4 * HOUR),
        ({"Cache-Control": "max-age=60, s-maxage=14400"}, 4 * HOUR),
        ({"Cache-Control": "max-age=14400", "Age": "7200"}, 2 * HOUR),
        ({"Expires": format_datetime(NOON + 4 * HOUR, usegmt=True)}, 4 * HOUR),
        ({"Cache-Control": "max-age=31536000"}, DAY),
    ],
)
def test_rule_11_freshness_makes_it_later(headers: Mapping[str, str], least: timedelta) -> None:
    assert _next(headers) == NOON + least


@pytest.mark.parametrize(
    "headers", [{"Cache-Control": "no-store"}, {"Cache-Control": "no-cache, max-age=0"}, {"Expires": "0"}]
)
def test_rule_11_nothing_makes_it_sooner(headers: Mapping[str, str]) -> None:
    for pace in (EAGER, None):
        assert _next(headers, pace=pace) == _next(pace=pace) >= NOON + FLOOR


@pytest.mark.parametrize(
    ("announced", "least"),
    [
        (Announced(ttl="180"), 3 * HOUR),
        (Announced(ttl="5"), FLOOR),
        (Announced(ttl="60", update_period="daily", update_frequency="6"), 4 * HOUR),
        (Announced(ttl="300", update_period="daily", update_frequency="6"), 5 * HOUR),
        (Announced(ttl="0"), FLOOR),
        (Announced(ttl="-1"), FLOOR),
        (Announced(ttl="1000000000"), FLOOR),
        (Announced(update_period="never"), FLOOR),
    ],
)
def test_rule_12_the_later_of_the_feed_s_wishes_counts_and_nonsense_does_not(
    announced: Announced, least: timedelta
) -> None:
    assert least <= _next(announced=announced) - NOON <= (1.1 * FLOOR if least == FLOOR else least)


@given(st.sets(st.integers(0, 24)), st.sets(st.sampled_from(["Monday", "Tuesday", "Sunday"])), st.integers(0, 10**6))
def test_rule_13_no_poll_falls_into_a_skipped_hour_or_day(hours: set[int], days: set[str], seconds: int) -> None:
    announced = Announced(skip_hours=tuple(map(str, hours)), skip_days=tuple(days))
    at = _next(announced=announced, now=NOON + timedelta(seconds=seconds))
    skipped = {hour % 24 for hour in hours}
    if len(skipped) < 24:
        assert at.hour not in skipped
    assert f"{at:%A}" not in days


def test_rule_13_sources_of_one_publisher_do_not_all_come_when_it_opens() -> None:
    hints = PublisherHints(skip_hours=frozenset({12, 13}))
    tries = [after_success(NOON, Terms(n, None, FLOOR), poll_weight=1, pace=EAGER, hints=hints).at for n in range(600)]
    assert {at.hour for at in tries} == {14}
    assert max(Counter(at.minute for at in tries).values()) <= 25


@pytest.mark.parametrize(
    ("terms", "hints"),
    [
        ({"every": HOUR, "floor": MINUTE}, PublisherHints()),
        ({"every": None, "floor": MINUTE}, PublisherHints()),  # no pace known: an hour
        # No validators.
        pytest.param({"every": None, "floor": MINUTE}, PublisherHints(floor=HOUR), marks=pytest.mark.slow),
    ],
)
def test_rule_21_hourly_sources_polled_together_drift_apart(terms: dict[str, timedelta], hints: PublisherHints) -> None:
    pace = EAGER if hints.floor else None
    due = dict.fromkeys(range(1000), NOON)
    polls: Counter[int] = Counter()
    for hour in range(48):
        for number, now in due.items():
            polls[now.minute] += hour >= 24
            due[number] = after_success(now, Terms(number, **terms), poll_weight=1, pace=pace, hints=hints).at
    assert max(polls.values()) <= 0.04 * polls.total()


def test_rule_22_a_source_that_falls_silent_slows_down_to_a_day_and_says_so() -> None:
    rhythm, pace, upcoming = (
        PublishingProfile(NOON),
        PollBudget(level=poll_weight(PublishingProfile(NOON), NOON), per_second=1 / 3600),
        [],
    )
    for day in range(131):
        at = NOON + day * DAY
        posts = [at - number * HOUR for number in range(24)] if day < 10 else []
        rhythm = observed(rhythm, at, posts)
        upcoming.append(after_success(at, Terms(1, None, FLOOR), poll_weight=poll_weight(rhythm, at), pace=pace))
    intervals = [decision.interval for decision in upcoming]
    assert intervals[9] < 30 * MINUTE
    assert intervals[10:] == sorted(intervals[10:])
    assert intervals[-1] > 2 * HOUR
    assert upcoming[-1].reason == "adaptive: 0.1 items a day at this time"
    crowded = PollBudget(pace.level, per_second=pace.per_second / 24)  # when all others publish more
    last = NOON + 130 * DAY
    slowest = after_success(last, Terms(1, None, FLOOR), poll_weight=poll_weight(rhythm, last), pace=crowded)
    assert 0.9 * DAY <= slowest.interval <= DAY
    assert slowest.reason == "maximum interval 24 h"


FAILURES: list[tuple[SourceError, int]] = [  # and after how many the wait has grown to sixteen times the usual
    (UnreachableError("dead"), 4),
    (UnreadableError("broken"), 8),
    (SlowFirstByteError("busy"), 16),
    (StatusError("busy", status=503), 16),
]


@pytest.mark.parametrize(("error", "many"), FAILURES, ids=lambda error: type(error).__name__)
def test_rule_31_failures_back_off_by_their_weight_and_are_tried_weekly_for_ever(error: SourceError, many: int) -> None:
    terms, waits, strain, at = Terms(1, None, FLOOR), [], 0.0, NOON
    for failures in range(1, 1000):
        strain += error.failure_weight
        upcoming = after_failure(at, terms, usual=HOUR, failures=failures, failure_weight=strain)
        waits.append(upcoming.at - at)
        at = upcoming.at
    assert waits == sorted(waits)
    assert 16 * HOUR <= waits[many - 1] <= 1.1 * 16 * HOUR
    assert waits[-1] == LONGEST_DEAD
    healed = after_success(at, terms, poll_weight=1, pace=None)
    assert healed.at - at <= 1.1 * HOUR  # one success restores the usual
