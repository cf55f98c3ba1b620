"""Freezes: times in which nothing new is shown. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

LONGEST = timedelta(days=90)  # after which what is held would be no news any more


@dataclass(frozen=True, slots=True)
class Freeze:
    """A time in which what comes waits, of one source or of all."""

    id: int
    source_id: int | None  # None: all of them
    until: datetime
    reason: str
    author: str
    begun: datetime
    ended: datetime | None = None  # before its time

    @property
    def sentence(self) -> str:
        """Why something waits for its end."""
        return f"everything new is held: {self.reason}"

    def holds(self, source_id: int, now: datetime) -> bool:
        """Say whether it holds what comes from a source now."""
        return self.ended is None and self.until > now and self.source_id in {None, source_id}


def frozen_until(freezes: Iterable[Freeze], source_id: int, now: datetime) -> Freeze | None:
    """Return the freeze that holds a source for longest; None: none does."""
    holding = [one for one in freezes if one.holds(source_id, now)]
    return max(holding, key=lambda one: one.until, default=None)
