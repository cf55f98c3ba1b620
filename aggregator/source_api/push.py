"""Define the interface of kinds of source whose network pushes deletions and new posts over an open connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Mapping
    from datetime import datetime

    from aggregator.source_api.kind import PollContext

MOST_SILENT = 30.0  # seconds between two events; a listener yields None in between


@dataclass(frozen=True, slots=True)
class PostDeleted:
    """A post was deleted."""

    native_id: str  # of the version that the network names
    author: str  # native id of the account
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccountChanged:
    """An account has published or edited something, so its source is worth a poll."""

    native_id: str


PushEvent = PostDeleted | AccountChanged


@runtime_checkable
class PushSource(Protocol):
    """A kind of source whose network pushes events. Its sources have the account's native id as option `user_id`."""

    name: str
    network: str
    push_setting: str  # the variable that enables it

    def is_push_enabled(self, values: Mapping[str, Any]) -> bool:
        """Return whether the operators have enabled pushed events, from the values of the kind's settings."""
        ...

    async def subscribe(self, accounts: Collection[str], context: PollContext) -> bool:
        """Receive events of these accounts, by native ids, and of no others.

        Returns:
            False if there is more to do; it takes half a minute at most, and is then called again.

        Raises:
            SourceError: the response was not usable.
        """
        ...

    def listen(self, context: PollContext) -> AsyncGenerator[PushEvent | None]:
        """Open the connection, and yield events as they arrive, with None at least every `MOST_SILENT` seconds.

        The first None means that the connection is open. It ends when the network closes the connection.

        Raises:
            SourceError: the connection failed; `until` of a `PausedError` is when to try again.
        """
        ...
