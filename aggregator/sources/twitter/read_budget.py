"""Estimate the daily cost of reading an account, and the share of it that the budget allows. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import exp
from typing import TYPE_CHECKING

from aggregator.sources.twitter.vocabulary import MOST_PER_POST

if TYPE_CHECKING:
    from aggregator.domain.billing.metering import Ration

PAGE = 100  # posts
LEAST_PAGE = 5  # posts; X's minimum page size
FIRST_RUN = 40  # posts; an account's history can have 3,200 posts, and each is billed
PAGES = 5  # most pages in a poll

_DAY = timedelta(days=1)
_MEMORY = timedelta(days=3)
_SHORTEST_SPAN = timedelta(hours=6)  # a first poll gives too little data for an estimate
_READINGS_A_DAY = 4  # page size for a limited account, if its quota allows it


@dataclass(frozen=True, slots=True)
class ReadQuota:
    """The limits of one poll."""

    first: int = FIRST_RUN  # page size for the first poll of an account
    page: int = PAGE  # posts
    pages: int = PAGES
    skipping: bool = False  # posts beyond the limit are skipped permanently: the budget has no room for them


@dataclass(frozen=True, slots=True)
class ReadCost:
    """The cost and extent of one poll."""

    cost: float  # dollars
    posts: int  # posts of the account itself
    age: timedelta | None  # time of the oldest of these posts
    reach: timedelta | None  # time between the oldest and the newest of these posts
    whole: bool  # no posts were left out


def read_quota(ration: Ration | None, daily_cost: float | None) -> ReadQuota:
    """Return the quota for an account with this estimated cost (dollars a day)."""
    if ration is None:
        return ReadQuota()
    most = _within(ration.most // MOST_PER_POST, PAGE)
    first = _within(ration.first // MOST_PER_POST, FIRST_RUN)
    if ration.dollars is None or ration.posts is None:
        return ReadQuota(first=first, page=most)
    page = _within(int(ration.posts / _READINGS_A_DAY), most)
    return ReadQuota(min(first, page), page, pages=1, skipping=daily_cost is not None and daily_cost > ration.dollars)


def shortest_interval(ration: Ration | None, cost: float) -> timedelta | None:
    """Return the minimum time until the next poll after a poll of this cost; None means no limit."""
    if ration is None or ration.dollars is None or cost <= 0:
        return None
    return _DAY * min(cost / max(ration.dollars, 1e-6), 31)


def updated_daily_cost(daily_cost: float | None, read_cost: ReadCost, since: timedelta | None) -> float | None:
    """Return an account's updated cost estimate in dollars a day, an exponential average with a decay over days.

    Args:
        daily_cost: the previous estimate; None if there is none.
        read_cost: the cost of the poll.
        since: the time since the last successful poll; None if there was none.
    """
    if daily_cost is None or since is None:
        if read_cost.age is None:
            return daily_cost
        return read_cost.cost / (max(read_cost.age, _SHORTEST_SPAN) / _DAY)
    whole = read_cost.cost
    if not read_cost.whole and read_cost.posts > 1 and read_cost.reach:
        whole = (
            read_cost.cost / read_cost.posts * max(read_cost.posts, (read_cost.posts - 1) * (since / read_cost.reach))
        )
    keep = exp(-since / _MEMORY)
    span = max(since / _DAY, 1e-6)
    return daily_cost * keep + whole / span * (1 - keep)


def _within(posts: int, most: int) -> int:
    return max(min(posts, most), LEAST_PAGE)
