"""Define requests for older items of a source, and what they may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.source import Source
    from aggregator.source_api.kind import PollContext


@dataclass(frozen=True, slots=True)
class ArchiveRequest:
    """Which older items to read."""

    pages: int  # at most
    since: datetime | None = None  # no items published before
    oldest: str | None = None  # the native id of the oldest stored item with a numeric id
    dollars: float | None = None  # the most to spend; None: no limit but the service's budget


@dataclass(frozen=True, slots=True)
class ArchiveCost:
    """What a request may cost."""

    service: str  # in the ledger
    items: int  # the most that are returned
    dollars: float  # at most
    expected: float | None = None  # dollars, by what the source costs at present


@runtime_checkable
class AccountArchiveSource(Protocol):
    """A kind of source whose network offers all posts of an account to its owner as a file."""

    most_looked_up: int  # posts per request

    def archived(self, path: Path, source: Source, *, complete: bool) -> Iterator[NewActivity]:
        """Yield the posts in the file, which may contain deleted ones; if `complete`, none whose words are cut.

        Raises:
            BadRequestError: the file is damaged, exceeds a limit, or is of another account.
        """
        ...

    def lookup_cost(self, posts: int, values: Mapping[str, Any]) -> ArchiveCost:
        """Return what it may cost to look posts up, from the values of the kind's settings."""
        ...

    async def current(self, native_ids: Sequence[str], source: Source, context: PollContext) -> Sequence[NewActivity]:
        """Look up which of these posts exist, and return them as they are now.

        Raises:
            SourceError: the response was not usable.
        """
        ...
