"""Old entries that turn up all at once: kept apart for people to look at instead of being published. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aggregator.domain.activity import Review

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.domain.activity import ScreenedActivity

MANY = 20  # old entries at once, which no publisher has by writing
LATE = timedelta(days=2)  # that an entry may be published before our last look without being old


def quarantined(fresh: Sequence[ScreenedActivity], last_look: datetime | None) -> list[ScreenedActivity]:
    """Return entries that are new to us, the old ones among them in quarantine where they are suspiciously many.

    An entry is old if it was published well before we last looked, when it was not there, or bears no date.

    Args:
        fresh: entries whose ids we do not know and that we did not recognise.
        last_look: when the source last answered, where it had brought entries before; None: nothing is suspicious.
    """
    if last_look is None:
        return list(fresh)
    before = last_look - LATE
    old = {id(one) for one in fresh if (one.new.content.published or before) <= before}
    if len(old) < MANY:
        return list(fresh)
    reason = f"{len(old)} old entries came at once"
    return [
        replace(one, review=Review.QUARANTINED, review_by="rule", review_reason=reason, later=None)
        if id(one) in old
        else one
        for one in fresh
    ]
