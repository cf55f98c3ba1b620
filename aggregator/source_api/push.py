"""Define the interface of kinds of source whose network pushes deletions and new posts over an open connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.compliance.takedowns import Fate
    from aggregator.domain.source import Source
    from aggregator.source_api.kind import PollContext


@dataclass(frozen=True, slots=True)
class PostDeleted:
    """A post or repost was deleted."""

    native_id: str  # of the version that the network names
    author: str  # native id of the account
    at: datetime | None = None
    has_versions: bool = False  # stored posts may have an older version's id


@dataclass(frozen=True, slots=True)
class AccountChanged:
    """An account has published or edited something, so its source is worth a poll."""

    native_id: str
    post: str = ""  # the native id of the new post; empty: unknown
    original: str = ""  # the native id of the post that it reposts; empty: it is no repost
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ProfileChanged:
    """An account has another name, handle or avatar."""

    native_id: str


@dataclass(frozen=True, slots=True)
class AccountRemoved:
    """An account was deleted, deactivated or suspended, so nothing of it may be shown."""

    native_id: str
    fate: Fate
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccountRestored:
    """An account is active again, so its new posts may be stored."""

    native_id: str


@dataclass(frozen=True, slots=True)
class Reached:
    """All events up to a time, by the network's clock, have been yielded."""

    at: datetime


PushEvent = PostDeleted | AccountChanged | ProfileChanged | AccountRemoved | AccountRestored | Reached


class Followed:
    """The accounts whose events are wanted; the listener replaces them while it listens."""

    def __init__(self, accounts: Collection[str] = ()) -> None:
        self.accounts: Collection[str] = accounts  # native ids, first added first


@dataclass(frozen=True, slots=True)
class PushTerms:
    """How a network pushes."""

    replay: timedelta | None = None  # so long, events are kept, and sent again on request; None: not at all
    settling: timedelta = timedelta()  # until the network's API has what its stream has sent
    apart: timedelta = timedelta()  # between two polls of an account that publishes without a break


@runtime_checkable
class AnnouncedPostSource(Protocol):
    """A kind of source that can look announced posts up by their ids, many at once, and free of charge."""

    push_terms: PushTerms
    most_announced: int  # posts at a time

    async def announced(self, events: Sequence[AccountChanged], context: PollContext) -> Sequence[NewActivity]:
        """Return the announced posts as a poll would; omit those that the network's API doesn't have yet.

        Raises:
            SourceError: the response was not usable; `until` of a `PausedError` is when to try again.
        """
        ...

    def takes(self, source: Source, new: NewActivity) -> bool:
        """Return whether a poll of the source would store such a post, by the source's options and state."""
        ...


@runtime_checkable
class PushSource(Protocol):
    """A kind of source whose network pushes events. Its sources have the account's native id as option `user_id`."""

    name: str
    network: str
    push_setting: str  # the variable that enables it
    push_terms: PushTerms

    def is_push_enabled(self, values: Mapping[str, Any]) -> bool:
        """Return whether the operators have enabled pushed events, from the values of the kind's settings."""
        ...

    async def subscribe(self, accounts: Collection[str], context: PollContext) -> bool:
        """Receive events of these accounts, by native ids, and of no others, where this needs requests of its own.

        Returns:
            False if there is more to do; it takes half a minute at most, and is then called again.

        Raises:
            SourceError: the response was not usable.
        """
        ...

    def listen(
        self, context: PollContext, followed: Followed, since: datetime | None
    ) -> AsyncGenerator[PushEvent | None]:
        """Open the connection, and yield events as they arrive; None means that the connection is open.

        It ends when the network closes the connection. The caller takes events as fast as it can apply them.

        Args:
            context: clients, clock and settings.
            followed: the accounts whose events are wanted; they may change at any time.
            since: begin with events after this time, if the network can send them again.

        Raises:
            SourceError: the connection failed; `until` of a `PausedError` is when to try again.
        """
        ...
