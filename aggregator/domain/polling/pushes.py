"""Name what is stored about streams of pushed events, and describe their state."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

PUSHED = "something new was pushed"  # the reason for a poll
SLOWED = "new items are pushed"  # the reason for a late poll
ENDED_AFTER = timedelta(seconds=60)  # without a listener, the stream has ended, and polls are as usual again


class StreamNames(NamedTuple):
    """The names of the times that are stored about a stream."""

    claim: str  # until when a process listens
    alive: str  # when one last listened
    opened: str  # when the connection was opened; none while there is no connection
    position: str  # the network's time of the newest event whose effects are stored


class PushState(NamedTuple):
    """The state of a stream of pushed events."""

    network: str
    claimed: bool  # a process listens
    opened: datetime | None  # when its connection was opened
    alive: datetime | None  # when a process last listened
    position: datetime | None  # the time of the newest event


def stream_names(network: str) -> StreamNames:
    """Return the names of what is stored about a network's stream."""
    claim = f"push:{network}"
    return StreamNames(claim, f"{claim}:alive", f"{claim}:opened", f"{claim}:position")


def state_of(network: str, times: Mapping[str, datetime], now: datetime) -> PushState:
    """Return the state of a stream from its stored times."""
    names = stream_names(network)
    claimed = names.claim in times and times[names.claim] > now
    opened = times.get(names.opened) if claimed else None
    return PushState(network, claimed, opened, times.get(names.alive), times.get(names.position))


def has_ended(network: str, times: Mapping[str, datetime], now: datetime) -> bool:
    """Return whether a stream that slowed polls down has had no listener for a while."""
    names = stream_names(network)
    alive = times.get(names.alive)
    return alive is not None and not state_of(network, times, now).claimed and now - alive > ENDED_AFTER
