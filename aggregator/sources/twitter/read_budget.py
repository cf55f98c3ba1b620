"""What reading an account costs: how much there would be to read a day, and how much of it the budget allows. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import exp
from typing import TYPE_CHECKING

from aggregator.sources.twitter.vocabulary import MOST_PER_POST

if TYPE_CHECKING:
    from aggregator.domain.billing.metering import Ration

PAGE = 100  # posts
LEAST_PAGE = 5  # posts; X refuses to give fewer
FIRST_RUN = 40  # posts; the past of an account may be 3,200 posts long, and each is billed
PAGES = 5  # at most, in one poll

_DAY = timedelta(days=1)
_MEMORY = timedelta(days=3)
_SHORTEST_SPAN = timedelta(hours=6)  # a first look at what is newer tells little
_READINGS_A_DAY = 4  # of an account that is rationed, where its ration allows for so many


@dataclass(frozen=True, slots=True)
class ReadQuota:
    """How much one poll may read."""

    first: int = FIRST_RUN  # posts of the first page of an account that was never read
    page: int = PAGE  # posts
    pages: int = PAGES
    skipping: bool = False  # what does not fit is left out for good: more than is allowed will come again


@dataclass(frozen=True, slots=True)
class ReadCost:
    """What one poll read."""

    cost: float  # dollars
    posts: int  # of the account itself
    age: timedelta | None  # of the oldest of them
    reach: timedelta | None  # between the oldest and the newest of them
    whole: bool  # nothing was left out


def portion(ration: Ration | None, appetite: float | None) -> ReadQuota:
    """Return how much may be read of an account with this appetite (dollars a day)."""
    if ration is None:
        return ReadQuota()
    most = _within(ration.most // MOST_PER_POST, PAGE)
    first = _within(ration.first // MOST_PER_POST, FIRST_RUN)
    if ration.dollars is None or ration.posts is None:
        return ReadQuota(first=first, page=most)
    page = _within(int(ration.posts / _READINGS_A_DAY), most)
    return ReadQuota(min(first, page), page, pages=1, skipping=appetite is not None and appetite > ration.dollars)


def digesting(ration: Ration | None, cost: float) -> timedelta | None:
    """Return for how long an account may not be read again after a poll of this cost; None: no limit."""
    if ration is None or ration.dollars is None or cost <= 0:
        return None
    return _DAY * min(cost / max(ration.dollars, 1e-6), 31)


def learnt(appetite: float | None, read_cost: ReadCost, since: timedelta | None) -> float | None:
    """Return an account's appetite after a poll, in dollars a day: an average that forgets over days.

    Args:
        appetite: as it was; None: not known.
        read_cost: of the poll.
        since: the time since the last poll that brought an answer; None: there was none.
    """
    if appetite is None or since is None:
        if read_cost.age is None:
            return appetite
        return read_cost.cost / (max(read_cost.age, _SHORTEST_SPAN) / _DAY)
    whole = read_cost.cost
    if not read_cost.whole and read_cost.posts > 1 and read_cost.reach:
        whole = (
            read_cost.cost / read_cost.posts * max(read_cost.posts, (read_cost.posts - 1) * (since / read_cost.reach))
        )
    keep = exp(-since / _MEMORY)
    span = max(since / _DAY, 1e-6)
    return appetite * keep + whole / span * (1 - keep)


def _within(posts: int, most: int) -> int:
    return max(min(posts, most), LEAST_PAGE)
