"""Decide when prepaid credits are about to end. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aggregator.domain.billing.budget import DAY, DOLLAR, dollars
from aggregator.domain.monitoring.alerts import Condition

if TYPE_CHECKING:
    from datetime import datetime, timedelta

CREDITS = "credits-low"
ENOUGH = 3  # days; a person needs time to buy credits


class Balance(NamedTuple):
    """The balance of prepaid credits, and the present cost."""

    micros: int
    at: datetime
    per_day: float  # dollars

    @property
    def days(self) -> float | None:
        """How many days the balance lasts at the present cost; None: nothing is spent."""
        return max(self.micros, 0) / DOLLAR / self.per_day if self.per_day > 0 else None

    @property
    def is_low(self) -> bool:
        """Whether the balance will end before a person has had time to act."""
        return self.micros <= 0 or (self.days is not None and self.days < ENOUGH)

    @property
    def sentence(self) -> str:
        """The balance in words."""
        if self.days is None:
            return f"{dollars(self.micros)} are left"
        return f"{dollars(self.micros)} are left, for {self.days:,.1f} days at ${self.per_day:,.4f} a day"


def condition(service: str, label: str, balance: Balance | None) -> Condition | None:
    """Return the condition of a balance that is about to end."""
    if balance is None or not balance.is_low:
        return None
    sentence = f"The prepaid credits of {label} are about to end: {balance.sentence}. Buy credits to continue."
    return Condition(CREDITS, f"credits:{service}", sentence)


def per_day(micros: int, since: timedelta) -> float:
    """Return the cost per day in dollars of an amount that was spent since a time ago."""
    return micros / DOLLAR / max(since / DAY, 1.0)
