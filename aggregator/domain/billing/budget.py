"""Budget services that bill per result: remaining money, forecast, and the share of a source. Pure.

Money is counted in millionths of a dollar ("micros"), so that sums are exact; rates are in dollars a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

DOLLAR = 1_000_000  # micros
DAY = timedelta(days=1)
USUAL_POSTS = 5.0  # a day, for a source without reads yet
LEAST_LEFT = timedelta(hours=6)  # of a cycle, so that its last minutes aren't overspent


class Prices(NamedTuple):
    """The price of each returned object, in micros."""

    post: int
    user: int
    owned: int = 0  # a post that is read by the account that owns the app

    def of(self, posts: int, users: int, owned: int = 0) -> int:
        """Return the price of results; `owned` is the number of posts that the owner's account reads of its own."""
        return (posts - owned) * self.post + owned * self.owned + users * self.user


@dataclass(frozen=True, slots=True)
class Terms:
    """The operator's budget settings."""

    prices: Prices
    budget: int | None  # micros per cycle; None: unlimited, only recorded
    reserve: float  # 0 to 0.9: the part reserved for compliance
    cycle_day: int  # day of the month, 1 to 28, on which a cycle starts


@dataclass(frozen=True, slots=True)
class Metered:
    """A metered service, its kind of source, and its settings."""

    service: str  # in the ledger
    label: str  # for people
    kind: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class Cycle:
    """The period of a budget: from a day of one month to the same day of the next, UTC."""

    start: date
    end: date  # first day of the next cycle

    @classmethod
    def at(cls, now: datetime, day: int) -> Cycle:
        """Return the cycle that includes a time."""
        today = now.astimezone(UTC).date()
        start = today.replace(day=day)
        if start > today:
            start = _month(start, -1)
        return cls(start, _month(start, +1))

    def ends(self) -> datetime:
        """Return the end of the cycle."""
        return datetime(self.end.year, self.end.month, self.end.day, tzinfo=UTC)

    def left(self, now: datetime) -> timedelta:
        """Return the remaining time."""
        return max(self.ends() - now, timedelta())


class Standing(NamedTuple):
    """The state of a cycle, in micros."""

    spent: int
    compliance: int  # part of the spent money
    reserved: int  # reserved for running requests

    def free(self, terms: Terms, *, compliance: bool) -> int | None:
        """Return what can still be reserved for compliance or for other purposes; None: unlimited."""
        if terms.budget is None:
            return None
        kept = 0 if compliance else max(round(terms.budget * terms.reserve) - self.compliance, 0)
        return max(terms.budget - kept - self.spent - self.reserved, 0)


def ration(appetites: Iterable[float], left: int | None, time_left: timedelta) -> float | None:
    """Return the daily limit of one source in dollars, or None if all sources are within the budget.

    Sources that need less than the limit get what they need; the remainder is shared by the others.

    Args:
        appetites: the cost of each source in dollars a day.
        left: micros until the cycle ends; None: unlimited.
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
    return None  # unreachable: some source is above its share, since the sum is


def presumed(appetites: Mapping[int, float | None], terms: Terms, owned: Collection[int] = ()) -> list[float]:
    """Return the cost of each source in dollars a day; sources without reads yet get the usual cost.

    Args:
        appetites: the known costs, by source.
        terms: the prices.
        owned: the sources that are read at the owner's price.
    """
    prices = terms.prices
    usual = {source: prices.owned if source in owned else prices.post for source in appetites}
    return [
        USUAL_POSTS * usual[source] / DOLLAR if appetite is None else appetite for source, appetite in appetites.items()
    ]


@dataclass(frozen=True, slots=True)
class Forecast:
    """The expected cost of a cycle at its end, in dollars."""

    spent: float
    needed: float  # at the end, without a limit
    budget: float | None
    ration: float | None  # dollars per day and source if the budget is too small
    limited: int  # sources above that limit

    @property
    def expected(self) -> float:
        """Return the expected spending at the end."""
        return self.needed if self.budget is None or self.ration is None else min(self.needed, self.budget)

    @property
    def short(self) -> float:
        """Return the missing amount."""
        return 0.0 if self.budget is None else max(self.needed - self.budget, 0.0)


def forecast(
    terms: Terms, cycle: Cycle, standing: Standing, appetites: Iterable[float], others: float, now: datetime
) -> Forecast:
    """Forecast the cost of a cycle.

    Args:
        terms: the settings.
        cycle: the current one.
        standing: its state.
        appetites: the cost of each source in dollars a day.
        others: all other costs in dollars a day: profiles, compliance.
        now: the current time.
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
    """Format money: "$12.34"; small amounts have more digits."""
    amount = micros / DOLLAR
    return f"${amount:,.4f}" if 0 < abs(amount) < 0.1 else f"${amount:,.2f}"  # noqa: PLR2004 - a dime


def _month(start: date, step: int) -> date:
    """Return the same day of the next or previous month; every month has it."""
    months = start.year * 12 + start.month - 1 + step
    return start.replace(year=months // 12, month=months % 12 + 1)
