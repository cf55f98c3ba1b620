"""Define the rate limit of hosts: the port of clients, request slots, and pauses.

`host_groups` has the spacing and concurrency of a host, `backoff` the length of pauses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from aggregator.domain.polling.host_groups import HostPolicy


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


@dataclass(slots=True)
class HostTurn:
    """A held request slot. The holder sets `answered` after a normal response, which relaxes the host's back-off."""

    answered: bool = False


class RateLimiter(Protocol):
    """Grants request slots for hosts and API endpoints, shared by all workers through the database."""

    def acquire(self, host: str, endpoint: str = "") -> AbstractAsyncContextManager[HostTurn]:
        """Acquire a slot for `host` and hold it during the request.

        An `endpoint` of an API has slots and pauses of its own, at the rate of its limits.

        Raises:
            PausedError: the host is paused, or no slot is free within the time that a poll may wait.
        """
        ...

    async def pause(self, host: str, until: datetime | None, reason: str, endpoint: str = "") -> datetime:
        """Pause `host` until `until`; without a time, each pause is longer than the last.

        Returns the end of the pause.
        """
        ...
