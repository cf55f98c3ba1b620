"""Define the quota of a service that is free up to a number of units a day. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Quota:
    """The daily quota of a service, shared by all workers through the ledger."""

    service: str  # in the ledger
    label: str  # for people
    units: int  # a day
    zone: ZoneInfo  # in which a day begins at midnight

    def day(self, now: datetime) -> str:
        """Return the day of the quota ("2026-05-04") that includes a time."""
        return now.astimezone(self.zone).date().isoformat()

    def ends(self, now: datetime) -> datetime:
        """Return when that day ends (UTC)."""
        following = now.astimezone(self.zone).date() + timedelta(days=1)
        return datetime.combine(following, time(), self.zone).astimezone(UTC)
