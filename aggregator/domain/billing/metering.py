"""Types for metered network APIs: what a call returns, what it costs and who pays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection


class Purpose(StrEnum):
    """What a request that costs money is for."""

    POLL = "poll"
    PROFILE = "profile"  # names and pictures of people
    COMPLIANCE = "compliance"  # whether what we show still stands; a part of the budget is kept for it
    LOOKUP = "lookup"  # somebody adds a source


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a service that bills what it returns, and the most that it may return."""

    service: str  # "x"
    endpoint: str
    purpose: Purpose
    posts: int = 0
    users: int = 0
    source_id: int = 0  # for which source; 0: none in particular


@dataclass(frozen=True, slots=True)
class Returned:
    """What came back, by native ids: each is billed once a day, however often it comes."""

    posts: Collection[str] = ()
    users: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Ration:
    """What one source may cost, so that the budget lasts."""

    first: int  # posts that its first poll may read
    most: int  # posts that what is left pays for
    dollars: float | None = None  # a day; None: all that it likes
    posts: float | None = None  # the same in posts


class Spending(Protocol):
    """May this be spent? Shared by all workers through the database."""

    async def reserve(self, call: Call) -> str:
        """Set the money for a call aside and return a token to settle it by.

        Raises:
            BudgetError: there is not enough left, or the service said that a cap is reached; nothing was sent.
        """
        ...

    async def settle(self, token: str, returned: Returned) -> float:
        """Enter what a call returned into the ledger; return what it cost, in dollars."""
        ...

    async def block(self, service: str, reason: str) -> datetime:
        """Let nobody call a service that says a cap is reached; return until when."""
        ...

    async def ration(self, service: str) -> Ration | None:
        """Return what a source may cost so that the budget lasts; None: there is no budget."""
        ...

    async def room(self, service: str, purpose: Purpose) -> int | None:
        """Return how many posts may be read now for a purpose; None: as many as one likes."""
        ...


class Unmetered:
    """The `Spending` port where nothing costs anything."""

    async def reserve(self, call: Call) -> str:
        """Allow everything."""
        return call.endpoint

    async def settle(self, token: str, returned: Returned) -> float:
        """Forget it."""
        del token, returned
        return 0.0

    async def block(self, service: str, reason: str) -> datetime:
        """Block nothing: whoever asks learns it anew."""
        del service, reason
        return datetime.now(UTC)

    async def ration(self, service: str) -> Ration | None:
        """Set no limit."""
        del service
        return None

    async def room(self, service: str, purpose: Purpose) -> int | None:
        """Set no limit."""
        del service, purpose
        return None
