"""Types for the rate limit of a host: granted slots and pauses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.domain.polling.host_groups import HostPolicy


FIRST_PAUSE = timedelta(hours=1)  # for a host that answers "too many requests" without a time
LONGEST_PAUSE = timedelta(hours=24)


class Turn(NamedTuple):
    """The response to a request for a slot.

    Granted: `start` is the time of the request, and the slot must be released. Not granted: ask again at `start`, or,
    if `paused` gives a reason, not before it.
    """

    granted: bool
    start: datetime
    paused: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The slots that a process requests and releases for one host."""

    policy: HostPolicy
    asks: Sequence[str] = ()
    ended: Sequence[str] = ()
    answered: bool = False  # at least one of the released ones had a normal response


class Pause(NamedTuple):
    """A paused host."""

    host: str
    until: datetime
    reason: str
