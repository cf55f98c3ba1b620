"""Define the ports with which the HTTP client and sources respect rate limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime


class Clock(Protocol):
    """The clock, passed as an argument."""

    def __call__(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...


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
