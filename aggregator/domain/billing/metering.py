"""Define types for metered APIs: results, costs and purposes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    from aggregator.domain.billing.quota import Quota


class Purpose(StrEnum):
    """The purpose of a paid request."""

    POLL = "poll"
    PROFILE = "profile"  # names and pictures of profiles
    COMPLIANCE = "compliance"  # checks of published posts, paid from the reserve
    LOOKUP = "lookup"  # adding a source, and what completes its items
    USAGE = "usage"  # the service's own counts, which are free


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a metered service, with the maximum number of billed results."""

    service: str  # "x"
    endpoint: str
    purpose: Purpose
    posts: int = 0
    users: int = 0
    source_id: int = 0  # source id; 0: none
    owned: int = 0  # the part of the posts that is billed at the owner's price


@dataclass(frozen=True, slots=True)
class Returned:
    """Returned native ids: each is billed once a day."""

    posts: Collection[str] = ()
    users: Collection[str] = ()
    owned: Collection[str] = ()  # further posts, which are billed at the owner's price


@dataclass(frozen=True, slots=True)
class Ration:
    """The quota of a source within the budget; numbers of posts are at the full price."""

    first: int  # posts of the first poll
    most: int  # posts that the remaining budget covers
    dollars: float | None = None  # dollars a day; None: unlimited
    posts: float | None = None  # the same in posts

    def cheaper(self, ratio: float) -> Ration:
        """Return the quota of a source whose posts cost this part of the full price."""
        posts = None if self.posts is None else self.posts / ratio
        return Ration(int(self.first / ratio), int(self.most / ratio), self.dollars, posts)


class Spending(Protocol):
    """Authorizes spending, shared by all workers through the database."""

    async def reserve(self, call: Call) -> str:
        """Reserve the money for a call and return a token to settle it.

        Raises:
            BudgetError: the budget is too small, or the service reported a cap; nothing was sent.
        """
        ...

    async def settle(self, token: str, returned: Returned) -> float:
        """Record the results of a call in the ledger; return the cost in dollars."""
        ...

    async def take_unit(self, quota: Quota, endpoint: str, source_id: int = 0) -> None:
        """Count a call against the daily quota of a free service.

        Raises:
            BudgetError: the quota is used up, or the service reported that it is; nothing was sent.
        """
        ...

    async def block(self, service: str, reason: str, until: datetime | None = None) -> datetime:
        """Block calls to a service that reported a cap, until its cycle ends by default; return the end."""
        ...

    async def ration(self, service: str) -> Ration | None:
        """Return the quota of a source within the budget; None: no budget."""
        ...

    async def room(self, service: str, purpose: Purpose) -> int | None:
        """Return the number of posts that can be read now for a purpose; None: unlimited."""
        ...

    async def spare(self, service: str) -> int | None:
        """Return the number of posts whose current state can be read now without a reason; None: unlimited."""
        ...


class Unmetered:
    """A `Spending` port without costs."""

    async def reserve(self, call: Call) -> str:
        """Allow all calls."""
        return call.endpoint

    async def settle(self, token: str, returned: Returned) -> float:
        """Record nothing."""
        del token, returned
        return 0.0

    async def take_unit(self, quota: Quota, endpoint: str, source_id: int = 0) -> None:
        """Allow all calls."""
        del quota, endpoint, source_id

    async def block(self, service: str, reason: str, until: datetime | None = None) -> datetime:
        """Block nothing: each call gets the service's own error."""
        del service, reason
        return until or datetime.now(UTC)

    async def ration(self, service: str) -> Ration | None:
        """Set no limit."""
        del service
        return None

    async def room(self, service: str, purpose: Purpose) -> int | None:
        """Set no limit."""
        del service, purpose
        return None

    async def spare(self, service: str) -> int | None:
        """Set no limit."""
        del service
        return None
