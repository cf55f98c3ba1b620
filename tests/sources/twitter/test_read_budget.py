"""Test how much of an account could be read, and how much the budget allows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aggregator.domain.billing.metering import Ration
from aggregator.sources.twitter.read_budget import (
    FIRST_RUN,
    LEAST_PAGE,
    PAGE,
    ReadCost,
    ReadQuota,
    read_quota,
    shortest_interval,
    updated_daily_cost,
)

DAY = timedelta(days=1)


def test_without_a_budget_everything_is_read() -> None:
    assert read_quota(None, None) == ReadQuota()


def test_where_the_budget_suffices_only_what_is_left_limits_a_page() -> None:
    assert read_quota(Ration(first=900, most=9000), 0.1) == ReadQuota()
    assert read_quota(Ration(first=60, most=90), 0.1) == ReadQuota(first=20, page=30)
    assert read_quota(Ration(first=0, most=0), 0.1) == ReadQuota(first=LEAST_PAGE, page=LEAST_PAGE)


def test_a_rationed_account_is_read_in_small_pages_and_only_the_greedy_one_loses_posts() -> None:
    ration = Ration(first=900, most=9000, dollars=0.2, posts=40)
    assert read_quota(ration, 0.1) == ReadQuota(first=10, page=10, pages=1, skipping=False)
    assert read_quota(ration, 0.5) == ReadQuota(first=10, page=10, pages=1, skipping=True)
    assert read_quota(Ration(first=900, most=9000, dollars=0.001, posts=0.2), 0.5).page == LEAST_PAGE
    assert read_quota(Ration(first=900, most=9000, dollars=50, posts=10_000), 90).page == PAGE
    assert read_quota(Ration(first=900, most=9000, dollars=50, posts=10_000), None).first == FIRST_RUN


def test_who_has_cost_its_ration_rests() -> None:
    ration = Ration(first=900, most=9000, dollars=0.2, posts=40)
    assert shortest_interval(ration, 0.1) == DAY / 2
    assert shortest_interval(ration, 0) is None
    assert shortest_interval(None, 5) is None
    assert shortest_interval(Ration(first=9, most=9), 5) is None
    assert shortest_interval(Ration(first=9, most=9, dollars=0, posts=0), 5) == 31 * DAY


def test_the_first_poll_tells_by_the_age_of_what_it_read() -> None:
    meal = ReadCost(cost=0.3, posts=40, age=3 * DAY, reach=3 * DAY, whole=False)
    assert updated_daily_cost(None, meal, None) == pytest.approx(0.1)
    assert updated_daily_cost(None, ReadCost(0, 0, None, None, whole=True), None) is None


def test_later_polls_are_averaged_over_days() -> None:
    appetite: float | None = 0.0
    for _ in range(20 * 24):  # one post an hour for twenty days
        appetite = updated_daily_cost(appetite, ReadCost(0.005, 1, DAY / 24, timedelta(), whole=True), DAY / 24)
    assert appetite == pytest.approx(0.12, rel=0.01)
    for _ in range(20 * 24):
        appetite = updated_daily_cost(appetite, ReadCost(0, 0, None, None, whole=True), DAY / 24)
    assert appetite == pytest.approx(0, abs=0.001)


def test_what_was_left_out_is_reckoned_by_how_close_together_the_rest_is() -> None:
    meal = ReadCost(cost=0.05, posts=10, age=DAY / 4, reach=DAY / 4, whole=False)  # 9 in 6 hours, so 36 a day
    appetite: float | None = 0.18
    for _ in range(30):
        appetite = updated_daily_cost(appetite, meal, DAY)
    assert appetite == pytest.approx(0.18, rel=0.02)
