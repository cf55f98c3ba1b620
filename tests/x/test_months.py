"""Simulate whole months: stored posts, requests and cost, with a sufficient budget and with half of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from aggregator.cli.budget import View, metered_service
from tests.x.crowd import OUTSIDERS, Crowd
from tests.x.following import Following, Time
from tests.x_api.bill import POST_PRICE, USER_PRICE

if TYPE_CHECKING:
    from collections.abc import Callable

    Follower = Callable[..., Following]

MONTH = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = 30
STEP = timedelta(hours=6)
RATES = [0.5, 1, 2, 8, 40]  # posts a day
SELDOM = {"polls_per_hour": "0.01"}  # a poll costs nothing but the time of this test


def a_month(
    installation: Following, crowd: Crowd, time: Time, each_day: Callable[[int], None] = lambda _: None
) -> None:
    """Simulate a month, step by step."""
    for day in range(DAYS):
        for _ in range(timedelta(days=1) // STEP):
            installation.tick()
            installation.container.profiles.run()
            crowd.live(time.now, STEP)
            time.now += STEP
        each_day(day)


@pytest.fixture
def time() -> Time:
    return Time(MONTH)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_x_15_a_month_costs_no_more_than_the_cheapest_way(time: Time, follower: Follower) -> None:
    with Crowd(time, RATES) as crowd:
        installation = follower(crowd.url, **SELDOM)
        installation.follow(*crowd.handles)
        a_month(installation, crowd, time)
        time.passes(hours=1)
        installation.poll()
        assert installation.ids() == [str(id_) for id_ in crowd.followed()]
        requests, posts, users, dollars = installation.ledger()
    # The ledger is what X counted.
    assert (posts, users) == (len(crowd.bill.posts), len(crowd.bill.users))
    assert requests == sum(crowd.bill.requests.values())
    assert dollars == pytest.approx(crowd.bill.dollars)
    # Each post and each referenced post once, followed accounts weekly, and other accounts once.
    needed = (len(crowd.followed()) + len(crowd.mentioned())) * POST_PRICE
    people = (len(RATES) * (1 + DAYS // 7 + 1) + OUTSIDERS * 2) * USER_PRICE
    assert dollars <= needed + people
    # Expanding the authors of referenced posts, each once a day, would have cost more than requesting them in bulk.
    authors = {str(id_): author for id_, author in crowd.mentioned().items()}
    expanded = {(day, authors[id_]) for day, id_ in crowd.bill.posts if id_ in authors}
    assert dollars < needed + (len(expanded) + len(RATES) * DAYS // 7) * USER_PRICE


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_x_15_half_a_budget_lasts_the_month_and_nobody_goes_silent(time: Time, follower: Follower) -> None:
    with Crowd(time, RATES) as crowd:
        needed = sum(RATES) * DAYS * 1.4 * POST_PRICE + len(RATES) * 6 * USER_PRICE + 40 * USER_PRICE
        budget = needed / 2
        installation = follower(crowd.url, x_budget=f"{budget:.2f}", x_reserve="0", **SELDOM)
        crowd.live(time.now - timedelta(days=3), timedelta(days=3))  # all accounts have earlier posts
        installation.follow(*crowd.handles)
        forecasts, spent = [], []

        def look(_: int) -> None:
            view = View(installation.container, metered_service(installation.container, None))
            forecasts.append(view.forecast)
            spent.append(crowd.bill.of(f"{MONTH:%Y-%m}"))

        a_month(installation, crowd, time, look)
        newest = dict(
            installation.rows(
                "SELECT s.slug, max(a.published) FROM activity a JOIN source s ON s.id = a.source_id GROUP BY s.slug"
            )
        )
        gaps = {slug: _longest_gap(installation, slug) for slug in newest}
    # Within the first day the forecast reports the shortfall and its amount.
    assert forecasts[0].short > 0
    assert forecasts[0].needed == pytest.approx(needed, rel=0.35)
    # The rest of the budget lasts to the end of the month and is used up.
    assert max(spent) <= budget
    assert spent[DAYS // 2] == pytest.approx(budget / 2, rel=0.35)
    assert spent[-1] > budget * 0.85
    # No account goes silent: small ones are complete, large ones are read in part, all month long.
    assert len(newest) == len(RATES)
    stored = {
        row[0]: row[1]
        for row in installation.rows(
            "SELECT s.slug, count(*) FROM activity a JOIN source s ON s.id = a.source_id GROUP BY s.slug"
        )
    }
    for number, account in enumerate(crowd.accounts, 1):
        rate, there = crowd.rates[account.username], sum(post.created >= MONTH for post in crowd.posts_of(account))
        if rate <= 2:
            assert stored[f"desk-{number}"] >= there - 2  # posts after the last poll
        if rate >= 4:
            assert gaps[f"desk-{number}"] < timedelta(days=2)


def _longest_gap(installation: Following, slug: str) -> timedelta:
    """Return the longest time without a new item of a source."""
    rows = installation.rows(
        f"SELECT first_seen FROM activity a JOIN source s ON s.id = a.source_id WHERE s.slug = '{slug}'"
    )
    times = sorted({datetime.fromisoformat(str(row[0])) for row in rows})
    return max((later - earlier for earlier, later in pairwise(times)), default=timedelta(days=99))
