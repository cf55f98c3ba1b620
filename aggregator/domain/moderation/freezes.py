"""Define freezes, during which no new items are published. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

LONGEST = timedelta(days=90)  # older items are no longer news


@dataclass(frozen=True, slots=True)
class Freeze:
    """A period during which new items of one or all sources are held."""

    id: int
    source_id: int | None  # None: all sources
    until: datetime
    reason: str
    author: str
    begun: datetime
    ended: datetime | None = None  # set if ended early

    @property
    def sentence(self) -> str:
        """The reason shown on held items."""
        return f"freeze: {self.reason}"

    def holds(self, source_id: int, now: datetime) -> bool:
        """Return whether the freeze holds new items of a source now."""
        return self.ended is None and self.until > now and self.source_id in {None, source_id}


def frozen_until(freezes: Iterable[Freeze], source_id: int, now: datetime) -> Freeze | None:
    """Return the active freeze of a source that ends last, or None."""
    holding = [freeze for freeze in freezes if freeze.holds(source_id, now)]
    return max(holding, key=lambda freeze: freeze.until, default=None)
