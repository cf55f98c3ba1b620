"""Decide how long a host is paused that asks for fewer requests (429, 503, Retry-After). Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

FIRST_PAUSE = timedelta(hours=1)  # for a host that answers "too many requests" without a time
LONGEST_PAUSE = timedelta(hours=24)
LONGEST_RETRY = timedelta(hours=24)  # a host that asks for a longer pause is requested again after this
EASING = timedelta(hours=1)  # of normal responses reduce a growing pause by one step
MOST_STRIKES = 10  # steps of a growing pause


def next_pause(strikes: int, first: timedelta = FIRST_PAUSE) -> timedelta:
    """Return the length of the pause after `strikes` earlier ones: doubled each time, up to `LONGEST_PAUSE`."""
    return min(first * (1 << strikes), LONGEST_PAUSE)


def is_eased(strikes: int, paused_until: datetime | None, now: datetime) -> bool:
    """Return whether a normal response reduces the next pause by one step."""
    return strikes > 0 and (paused_until is None or now >= paused_until + EASING)
