"""Test budgets: cycles, reserves, shares of the remaining budget, and the forecast."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.billing.budget import (
    DOLLAR,
    Cycle,
    Prices,
    Standing,
    Terms,
    dollars,
    forecast,
    presumed,
    ration,
)

PRICES = Prices(post=5_000, user=10_000)
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def terms(dollars_a_cycle: float | None, reserve: float = 0.1, cycle_day: int = 1) -> Terms:
    budget = None if dollars_a_cycle is None else round(dollars_a_cycle * DOLLAR)
    return Terms(PRICES, budget, reserve, cycle_day)


@pytest.mark.parametrize(
    ("now", "day", "start", "end"),
    [
        (NOW, 1, date(2026, 5, 1), date(2026, 6, 1)),
        (NOW, 4, date(2026, 5, 4), date(2026, 6, 4)),
        (NOW, 5, date(2026, 4, 5), date(2026, 5, 5)),
        (datetime(2026, 1, 3, tzinfo=UTC), 28, date(2025, 12, 28), date(2026, 1, 28)),
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), 1, date(2026, 12, 1), date(2027, 1, 1)),
        (datetime.fromisoformat("2026-05-01T01:00:00+02:00"), 1, date(2026, 4, 1), date(2026, 5, 1)),
    ],
)
def test_a_cycle_goes_from_its_day_to_that_of_the_next_month(now: datetime, day: int, start: date, end: date) -> None:
    cycle = Cycle.at(now, day)
    assert (cycle.start, cycle.end) == (start, end)
    assert timedelta() < cycle.left(now) <= timedelta(days=31)


def test_what_is_kept_for_compliance_is_free_for_nothing_else() -> None:
    standing = Standing(spent=50 * DOLLAR, compliance=4 * DOLLAR, reserved=1 * DOLLAR)
    assert standing.free(terms(100), compliance=False) == 43 * DOLLAR  # six of the ten are still kept
    assert standing.free(terms(100), compliance=True) == 49 * DOLLAR
    assert standing.free(terms(None), compliance=False) is None
    assert standing.free(terms(20), compliance=True) == 0


def test_nobody_is_rationed_where_it_suffices() -> None:
    assert ration([0.1, 0.2], 10 * DOLLAR, timedelta(days=10)) is None
    assert ration([], 0, timedelta(days=10)) is None
    assert ration([5.0], None, timedelta(days=10)) is None


def test_those_that_want_little_get_it_and_the_others_share_what_is_left() -> None:
    share = ration([0.1, 2.0, 3.0], 21 * DOLLAR, timedelta(days=10))
    assert share == pytest.approx(1.0)


@given(
    st.lists(st.floats(0, 50), min_size=1, max_size=40),
    st.integers(0, 1000 * DOLLAR),
    st.timedeltas(timedelta(days=1), timedelta(days=31)),
)
def test_what_all_get_together_is_what_there_is(wants: list[float], left: int, time_left: timedelta) -> None:
    share = ration(wants, left, time_left)
    per_day = left / DOLLAR / (time_left / timedelta(days=1))
    if share is None:
        assert sum(wants) <= per_day + 1e-6
    else:
        assert sum(min(want, share) for want in wants) == pytest.approx(per_day, abs=1e-6)
        assert any(want > share for want in wants)


def test_the_last_hours_are_no_spree() -> None:
    assert ration([1000.0], DOLLAR, timedelta(seconds=1)) == pytest.approx(4.0)


def test_a_forecast_says_what_is_lacking() -> None:
    cycle = Cycle.at(NOW, 1)
    days = cycle.left(NOW) / timedelta(days=1)
    result = forecast(terms(40, reserve=0), cycle, Standing(5 * DOLLAR, 0, 0), [1.0, 2.0, 0.1], 0.2, NOW)
    assert result.needed == pytest.approx(5 + 3.3 * days)
    assert result.short == pytest.approx(result.needed - 40)
    assert result.ration is not None
    assert result.limited == 1 + (result.ration < 1)
    assert forecast(terms(None), cycle, Standing(5 * DOLLAR, 0, 0), [1.0], 0, NOW).short == 0


def test_a_source_that_was_never_read_counts_as_a_usual_one() -> None:
    assert presumed({1: 0.5, 2: None}, terms(1)) == [0.5, pytest.approx(0.025)]


def test_a_source_that_is_read_at_the_owners_price_counts_for_less() -> None:
    whole = replace(terms(1), prices=PRICES._replace(owned=1_000))
    assert presumed({1: None, 2: None}, whole, owned=[2]) == [pytest.approx(0.025), pytest.approx(0.005)]
    assert whole.prices.of(posts=10, users=1, owned=4) == 6 * 5_000 + 4 * 1_000 + 10_000


@pytest.mark.parametrize(
    ("micros", "text"), [(0, "$0.00"), (5_000, "$0.0050"), (12_340_000, "$12.34"), (1_234_500_000, "$1,234.50")]
)
def test_money_in_words(micros: int, text: str) -> None:
    assert dollars(micros) == text
