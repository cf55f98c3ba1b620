"""Ports that the HTTP client and the kinds of source use to respect rate limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime


class Clock(Protocol):
    """The time, as an argument."""

    def __call__(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...


@dataclass(slots=True)
class HostTurn:
    """A turn at a host while it is held. Whoever holds it says whether the host answered as if all were well."""

    answered: bool = False


class RateLimiter(Protocol):
    """May I call this host (or API endpoint) now? Shared by all workers through the database."""

    def turn(self, host: str, endpoint: str = "") -> AbstractAsyncContextManager[HostTurn]:
        """Wait for a turn at `host` and hold it while the request runs.

        An `endpoint` of an API has turns and pauses of its own: it is called as fast as its limits allow.

        Raises:
            PausedError: the host asked us to stay away, or no turn is free within the time a poll may wait.
        """
        ...

    async def pause(self, host: str, until: datetime | None, reason: str, endpoint: str = "") -> datetime:
        """Let nobody call `host` before `until`; where it did not say for how long, each time for longer.

        Returns until when the caller should leave it alone.
        """
        ...
