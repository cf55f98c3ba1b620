"""Test when the next poll is due and why: settings, publishing profile, publishers' hints and failures."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.polling.results import PublisherHints
from aggregator.domain.polling.schedule import (
    DAY,
    LONGEST_DEAD,
    LONGEST_FAILING,
    SHORTEST,
    PollBudget,
    PublishingProfile,
    Terms,
    after_failure,
    after_silence,
    after_success,
    levelled,
    observed,
    poll_weight,
)
from aggregator.text.durations import spoken
from tests.building import NOON

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
QUARTER = 15 * MINUTE
AUTO = Terms(1, None, QUARTER)
SET = Terms(1, HOUR, QUARTER)
PACE = PollBudget(level=1.0, per_second=1 / 3600)  # a source of all the poll_weight there is gets one poll an hour

spans = st.integers(0, 40 * 86400).map(lambda seconds: timedelta(seconds=seconds))
terms = st.builds(Terms, st.integers(1, 10**6), st.none() | spans.filter(bool), st.just(QUARTER))
paces = st.none() | st.builds(PollBudget, st.floats(0, 10), st.floats(0, 10))


def test_peoples_word_counts_and_is_spread_a_little() -> None:
    upcoming = after_success(NOON, SET, poll_weight=1, pace=PACE)
    assert HOUR <= upcoming.interval <= 1.1 * HOUR
    assert upcoming.reason == "every 60 min as configured"


def test_the_rhythm_decides_otherwise() -> None:
    upcoming = after_success(NOON, AUTO, poll_weight=0.5, pace=PACE)
    assert 1.8 * HOUR <= upcoming.interval <= 2.2 * HOUR
    assert "adaptive" in upcoming.reason


def test_without_a_pace_it_is_an_hour() -> None:
    assert 0.9 * HOUR <= after_success(NOON, AUTO, poll_weight=1, pace=None).interval <= 1.1 * HOUR


def test_a_source_that_publishes_much_is_polled_more_and_a_burst_at_once() -> None:
    quiet = observed(PublishingProfile(NOON), NOON, [])
    busy = observed(PublishingProfile(NOON), NOON, [NOON - number * HOUR for number in range(100)])
    bursting = observed(PublishingProfile(NOON), NOON, [NOON - number * MINUTE for number in range(10)])
    assert poll_weight(quiet, NOON) < poll_weight(busy, NOON) < poll_weight(bursting, NOON)
    # a burst is over within hours
    assert poll_weight(bursting, NOON + 12 * HOUR) < 1.5 * poll_weight(quiet, NOON + 12 * HOUR)


def test_the_time_of_day_counts() -> None:
    at_noon = observed(PublishingProfile(NOON), NOON, [NOON - number * DAY for number in range(14)])
    assert poll_weight(at_noon, NOON + DAY) > 1.5 * poll_weight(at_noon, NOON + DAY / 2)


def test_a_dormant_source_slows_to_the_ceiling() -> None:
    dormant = observed(PublishingProfile(NOON), NOON + 300 * DAY, [])
    pace = PollBudget(
        level=100 * poll_weight(observed(PublishingProfile(NOON), NOON, [NOON]), NOON), per_second=100 / 3600
    )
    upcoming = after_success(NOON, AUTO, poll_weight=poll_weight(dormant, NOON + 300 * DAY) / 10, pace=pace)
    assert 0.9 * DAY <= upcoming.at - NOON <= DAY
    assert upcoming.reason == "maximum interval 24 h"
    shorter = after_success(NOON, replace(AUTO, ceiling=6 * HOUR), poll_weight=1e-9, pace=pace)
    assert shorter.at - NOON <= 6 * HOUR


def test_old_and_future_items_do_not_mislead_it() -> None:
    fresh = observed(PublishingProfile(NOON), NOON, [])
    assert observed(fresh, NOON, [NOON - 15 * DAY] * 40) == fresh
    assert observed(fresh, NOON, [NOON + 15 * DAY]) == observed(fresh, NOON, [NOON])
    assert observed(fresh, NOON, [NOON] * 5000) == observed(fresh, NOON, [NOON] * 50)


def test_a_rhythm_survives_storing_and_damage_does_no_harm() -> None:
    rhythm = observed(PublishingProfile(NOON), NOON, [NOON - HOUR])
    assert PublishingProfile.of(rhythm.json(), NOON) == rhythm
    good = rhythm.json()
    for damaged in (
        None,
        {},
        {"at": 3},
        {**good, "at": "x"},
        {**good, "at": "2026-03-02T12:00:00"},  # of no zone
        {**good, "items": "nan"},
        {**good, "items": -1.0},
        {**good, "burst": -1.0},
        {**good, "sine": 1e300},
    ):
        assert PublishingProfile.of(damaged, NOON) == PublishingProfile(NOON)
    ahead = {**good, "at": (NOON + DAY).isoformat()}  # by another machine's clock
    assert PublishingProfile.of(ahead, NOON) == rhythm


def test_the_level_is_a_daily_average() -> None:
    assert levelled(None, HOUR, 5.0) == 5.0
    assert levelled(1.0, timedelta(), 5.0) == 1.0
    assert 1.0 < levelled(1.0, HOUR, 5.0) < 1.3
    assert levelled(1.0, 30 * DAY, 5.0) == pytest.approx(5.0)


def test_a_budget_is_kept() -> None:
    """Sources with very different intervals use the whole budget of polls together."""
    speeds = [0.001 * number for number in range(1, 401)]
    pace = PollBudget(sum(speeds), per_second=len(speeds) / 3600)
    intervals = [
        after_success(NOON, Terms(n, None, SHORTEST), poll_weight=u, pace=pace).interval for n, u in enumerate(speeds)
    ]
    per_hour = sum(HOUR / interval for interval in intervals)
    assert per_hour == pytest.approx(len(speeds), rel=0.02)


@given(terms, st.floats(0, 100), paces, spans, spans, st.integers(0, 2**24 - 1), st.integers(0, 127))
def test_wishes_and_floors_always_win(
    terms: Terms, poll_weight: float, pace: PollBudget | None, floor: timedelta, wish: timedelta, hours: int, days: int
) -> None:
    skip_hours = frozenset(hour for hour in range(24) if hours >> hour & 1)
    skip_days = frozenset(day for day in range(7) if days >> day & 1)
    hints = PublisherHints(floor, wish, "max-age", skip_hours, skip_days)
    upcoming = after_success(NOON, terms, poll_weight=poll_weight, pace=pace, hints=hints)
    assert upcoming.at >= NOON + max(terms.floor, floor, wish)
    if len(skip_hours) < 24 and len(skip_days) < 7:
        assert upcoming.at.hour not in skip_hours
        assert upcoming.at.weekday() not in skip_days
    longest = max(terms.ceiling, 1.1 * max(terms.every or DAY, terms.floor, floor), wish)
    skipping = timedelta() if not hints.skip_hours | hints.skip_days else 8 * DAY
    assert upcoming.at <= NOON + longest + skipping
    assert upcoming.interval <= longest  # stored results don't know today's request
    assert len(upcoming.reason) <= 130


@given(terms, st.floats(0, 100), paces, st.integers(0, 40 * 86400))
def test_who_asked_for_no_sooner_is_heard(
    terms: Terms, poll_weight: float, pace: PollBudget | None, seconds: int
) -> None:
    until = NOON + timedelta(seconds=seconds)
    without = after_success(NOON, terms, poll_weight=poll_weight, pace=pace)
    decision = after_success(NOON, terms, poll_weight=poll_weight, pace=pace, not_before=until)
    assert decision.at == max(without.at, until)
    assert (decision.reason == without.reason) == (without.at >= until)


def test_the_floor_counts_over_peoples_word_and_the_rhythm() -> None:
    often = Terms(1, MINUTE, QUARTER)
    eager = PollBudget(1.0, per_second=1.0)
    for terms, hints, least in (
        (often, PublisherHints(), QUARTER),
        (often, PublisherHints(floor=HOUR), HOUR),
        (AUTO, PublisherHints(floor=HOUR), HOUR),
        (replace(AUTO, ceiling=MINUTE), PublisherHints(), QUARTER),
    ):
        upcoming = after_success(NOON, terms, poll_weight=1e3, pace=eager, hints=hints)
        assert least <= upcoming.at - NOON <= 1.1 * least
        assert upcoming.reason == f"minimum interval {spoken(least)}"


def test_what_is_at_its_floor_or_ceiling_together_does_not_stay_together() -> None:
    pace = PollBudget(1.0, per_second=1.0)
    for requested in (1e3, 1e-9):
        tries = {after_success(NOON, Terms(n, None, HOUR), poll_weight=requested, pace=pace).at for n in range(100)}
        assert len(tries) == 100


def test_a_wish_is_told_with_its_words() -> None:
    hints = PublisherHints(at_least=2 * HOUR, why="max-age")
    upcoming = after_success(NOON, SET, poll_weight=1, pace=None, hints=hints)
    assert upcoming.at == NOON + 2 * HOUR
    assert upcoming.reason == "the publisher asked for 2 h (max-age)"
    assert upcoming.interval <= 1.1 * HOUR
    skipped = after_success(NOON, SET, poll_weight=1, pace=None, hints=replace(hints, skip_hours=frozenset({14, 15})))
    assert skipped.at.hour == 16
    assert skipped.reason.startswith("the publisher asked for 2 h (max-age); the publisher excludes polls before 16:")


@given(terms, spans, st.integers(1, 4000), st.sampled_from([0.25, 0.5, 1.0]))
def test_failures_wait_longer_and_longer_but_never_for_ever(
    terms: Terms, usual: timedelta, failures: int, weight: float
) -> None:
    first = after_failure(NOON, terms, usual=usual, failures=failures, failure_weight=failures * weight)
    later = after_failure(NOON, terms, usual=usual, failures=failures + 1, failure_weight=(failures + 1) * weight)
    assert NOON + QUARTER <= first.at <= later.at <= NOON + LONGEST_DEAD


def test_what_is_down_for_ten_years_is_tried_at_least_weekly() -> None:
    at, failures, strain = NOON, 0, 0.0
    for terms in (AUTO, SET, Terms(2, 30 * DAY, QUARTER)):
        usual = terms.every or HOUR
        end = at + 3650 * DAY
        while at < end:
            failures, strain = failures + 1, strain + 1
            upcoming = after_failure(at, terms, usual=usual, failures=failures, failure_weight=strain)
            assert QUARTER <= upcoming.at - at <= LONGEST_DEAD
            at = upcoming.at
        assert failures > 500


def test_a_failure_never_brings_a_source_sooner_than_usual() -> None:
    rare = Terms(1, 3 * DAY, QUARTER)
    assert after_failure(NOON, rare, usual=3 * DAY, failures=1, failure_weight=0.25).at >= NOON + 3 * DAY


def test_what_is_down_for_days_is_tried_daily_and_what_is_dead_weekly() -> None:
    down = after_failure(NOON, AUTO, usual=HOUR, failures=20, failure_weight=7.5)
    dead = after_failure(NOON, AUTO, usual=HOUR, failures=20, failure_weight=20)
    assert LONGEST_FAILING <= down.at - NOON <= 1.1 * LONGEST_FAILING
    assert dead.at - NOON == LONGEST_DEAD
    assert down.reason == f"failed 20 times in a row: again after {spoken(down.at - NOON)}"


def test_who_asks_for_time_gets_it_within_reason() -> None:
    decision = after_failure(NOON, AUTO, usual=HOUR, failures=1, failure_weight=1, until=NOON + 2 * DAY)
    assert decision.at == NOON + 2 * DAY
    assert "failed once; requested not before 2026-03-04" in decision.reason
    too_long = after_failure(NOON, AUTO, usual=HOUR, failures=1, failure_weight=1, until=NOON + 400 * DAY)
    assert too_long.at == NOON + LONGEST_DEAD


def test_a_silent_host_is_not_met_by_all_its_sources_at_once() -> None:
    until = NOON + 2 * HOUR
    tries = {after_silence(NOON, Terms(n, None, QUARTER), usual=HOUR, until=until).at for n in range(100)}
    assert len(tries) == 100
    assert until <= min(tries) <= max(tries) <= until + HOUR
    assert after_silence(NOON, AUTO, usual=HOUR).at == NOON + HOUR
    assert after_silence(NOON, AUTO, usual=HOUR, until=NOON - DAY).at >= NOON


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0.4 s"),
        (90, "90 s"),
        (119, "119 s"),
        (120, "2 min"),
        (900, "15 min"),
        (7200, "2 h"),
        (9000, "2.5 h"),
        (259200, "3 d"),
    ],
)
def test_spans_in_words(seconds: float, words: str) -> None:
    assert spoken(timedelta(seconds=seconds)) == words
