"""Types for the rate limit of a host: granted slots and pauses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.domain.polling.host_groups import HostPolicy


FIRST_PAUSE = timedelta(hours=1)  # of a host that says "too many requests", but not until when
LONGEST_PAUSE = timedelta(hours=24)


class Turn(NamedTuple):
    """The answer to "may I call this host?".

    Granted: `start` is when to call, and the turn must be given back. Not granted: ask again at `start`, or, where
    `paused` says why, not before it.
    """

    granted: bool
    start: datetime
    paused: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one process wants of one host: turns to begin, by token, and turns that ended."""

    manners: HostPolicy
    asks: Sequence[str] = ()
    ended: Sequence[str] = ()
    answered: bool = False  # at least one of the ended ones was answered as if all were well


class Pause(NamedTuple):
    """A host that asked to be left alone."""

    host: str
    until: datetime
    reason: str
