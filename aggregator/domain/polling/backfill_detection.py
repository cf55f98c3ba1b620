"""Quarantine old entries that appear all at once. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aggregator.domain.activity import Review

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.domain.activity import ScreenedActivity

MANY = 20  # more old entries at once than a publisher writes
LATE = timedelta(days=2)  # tolerance: an entry published this long before the last poll isn't old


def quarantined(fresh: Sequence[ScreenedActivity], last_look: datetime | None) -> list[ScreenedActivity]:
    """Return new entries; old ones are quarantined if there are suspiciously many.

    An entry is old if it was published well before the last poll, which did not contain it, or has no date.

    Args:
        fresh: entries with unknown ids that were not matched.
        last_look: when the source last answered, if it had entries before; None: nothing is suspicious.
    """
    if last_look is None:
        return list(fresh)
    before = last_look - LATE
    old = {id(item) for item in fresh if (item.new.content.published or before) <= before}
    if len(old) < MANY:
        return list(fresh)
    reason = f"{len(old)} old entries came at once"
    return [
        replace(item, review=Review.QUARANTINED, review_by="rule", review_reason=reason, later=None)
        if id(item) in old
        else item
        for item in fresh
    ]
