"""Budgets for services that bill what they return: what is left, what will be needed, what a source may cost. Pure.

Money is counted in millionths of a dollar ("micros"), so that sums are exact; rates are in dollars a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

DOLLAR = 1_000_000  # micros
DAY = timedelta(days=1)
USUAL_POSTS = 5.0  # a day, of a source that was never read
LEAST_LEFT = timedelta(hours=6)  # of a cycle that money is spread over, so that its last minutes are no spree


class Prices(NamedTuple):
    """What a service asks for each thing that it returns, in micros."""

    post: int
    user: int

    def of(self, posts: int, users: int) -> int:
        """Return what so many cost."""
        return posts * self.post + users * self.user


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operators set."""

    prices: Prices
    budget: int | None  # micros for a cycle; None: no limit, only the ledger is kept
    reserve: float  # 0 to 0.9: the part of it that is kept for compliance
    cycle_day: int  # of the month, 1 to 28: when a cycle begins


@dataclass(frozen=True, slots=True)
class Metered:
    """A service that bills, the kind of source that calls it, and what is set for it."""

    service: str  # in the ledger
    label: str  # for people
    kind: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class Cycle:
    """The time that a budget is for: from the start of a day of one month to that of the next, UTC."""

    start: date
    end: date  # the first day that belongs to the next one

    @classmethod
    def at(cls, now: datetime, day: int) -> Cycle:
        """Return the cycle that a moment is in."""
        today = now.astimezone(UTC).date()
        start = today.replace(day=day)
        if start > today:
            start = _month(start, -1)
        return cls(start, _month(start, +1))

    def ends(self) -> datetime:
        """Return the moment at which it ends."""
        return datetime(self.end.year, self.end.month, self.end.day, tzinfo=UTC)

    def left(self, now: datetime) -> timedelta:
        """Return how much of it is left."""
        return max(self.ends() - now, timedelta())


class Standing(NamedTuple):
    """How a cycle stands, in micros."""

    spent: int
    compliance: int  # of what was spent
    reserved: int  # for requests under way

    def free(self, terms: Terms, *, compliance: bool) -> int | None:
        """Return what may still be promised for compliance, or for all else; None: there is no limit."""
        if terms.budget is None:
            return None
        kept = 0 if compliance else max(round(terms.budget * terms.reserve) - self.compliance, 0)
        return max(terms.budget - kept - self.spent - self.reserved, 0)


def ration(appetites: Iterable[float], left: int | None, time_left: timedelta) -> float | None:
    """Return what one source may cost a day, in dollars; None where all may cost what they like.

    Those that want less than the ration get what they want, and what they leave is shared by the others.

    Args:
        appetites: what each source would cost, in dollars a day.
        left: micros until the cycle ends; None: there is no limit.
        time_left: of the cycle.
    """
    if left is None:
        return None
    per_day = left / DOLLAR / (max(time_left, LEAST_LEFT) / DAY)
    hungry = sorted(appetites)
    if sum(hungry) <= per_day:
        return None
    for number, appetite in enumerate(hungry):
        share = per_day / (len(hungry) - number)
        if appetite > share:
            return share
        per_day -= appetite
    return None  # not reached: some appetite is above its share, since together they are


def presumed(appetites: Iterable[float | None], terms: Terms) -> list[float]:
    """Return what each source would cost, in dollars a day; of those that were never read, what is usual."""
    usual = USUAL_POSTS * terms.prices.post / DOLLAR
    return [usual if one is None else one for one in appetites]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a cycle will have cost at its end, in dollars."""

    spent: float
    needed: float  # by the end, were there no limit
    budget: float | None
    ration: float | None  # dollars a day and source, where the budget does not suffice
    limited: int  # sources that want more than that

    @property
    def expected(self) -> float:
        """Return what will be spent by the end."""
        return self.needed if self.budget is None or self.ration is None else min(self.needed, self.budget)

    @property
    def short(self) -> float:
        """Return how much is lacking."""
        return 0.0 if self.budget is None else max(self.needed - self.budget, 0.0)


def forecast(
    terms: Terms, cycle: Cycle, standing: Standing, appetites: Iterable[float], others: float, now: datetime
) -> Forecast:
    """Say what a cycle will cost.

    Args:
        terms: what is set.
        cycle: the present one.
        standing: how it stands.
        appetites: what each source would cost, in dollars a day.
        others: what all else costs, in dollars a day: profiles, compliance.
        now: the present moment.
    """
    wants = list(appetites)
    time_left = cycle.left(now)
    allowed = ration(wants, standing.free(terms, compliance=False), time_left)
    spent = standing.spent / DOLLAR
    return Forecast(
        spent=spent,
        needed=spent + (sum(wants) + others) * (time_left / DAY),
        budget=None if terms.budget is None else terms.budget / DOLLAR,
        ration=allowed,
        limited=0 if allowed is None else sum(want > allowed for want in wants),
    )


def dollars(micros: int) -> str:
    """Return money in words: "$12.34", and small sums with more digits."""
    amount = micros / DOLLAR
    return f"${amount:,.4f}" if 0 < abs(amount) < 0.1 else f"${amount:,.2f}"  # noqa: PLR2004 - a dime


def _month(start: date, step: int) -> date:
    """Return the same day of the month before or after; it is one that every month has."""
    months = start.year * 12 + start.month - 1 + step
    return start.replace(year=months // 12, month=months % 12 + 1)
