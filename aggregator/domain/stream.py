"""What a reader asks of the merged stream, and what it gets: `Query`, `Cursor`, `Page`, `Changes`. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from aggregator.domain.errors import BadCursorError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.domain.activity import Activity, ActivityKind, Actor
    from aggregator.domain.search_query import Search
    from aggregator.domain.source import Source

DEFAULT_LIMIT = 20
MOST = 100
MOST_PINNED = 5

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SOURCE_CURSOR = re.compile(r"s\.([a-z0-9-]{1,200})")
_CURSOR = re.compile(r"([1-4])\.(\d{1,18})\.(\d{1,19})")
_LARGEST_ID = 2**63 - 2  # the one after it is still a number that databases take


class Order(StrEnum):
    """What a stream is ordered by."""

    PUBLISHED = "published"  # newest first
    EVENT = "event"  # events only, by when they begin, soonest first


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in the stream: just behind the item at `(position, id)`, or before it where `back`.

    Opaque and versioned on the wire. It names a place and no item: it stays good when that item goes.
    """

    position: datetime
    id: int
    order: Order = Order.PUBLISHED
    back: bool = False

    def __str__(self) -> str:
        version = 1 + self.back + 2 * (self.order is Order.EVENT)
        plain = f"{version}.{(self.position - _EPOCH) // _MICROSECOND}.{self.id}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str, order: Order = Order.PUBLISHED) -> Cursor:
        """Read a cursor that another page of the same order gave.

        Raises:
            BadCursorError: the text is not such a cursor.
        """
        try:
            plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
            match = _CURSOR.fullmatch(plain)
            if match is None or int(match[3]) > _LARGEST_ID:
                raise BadCursorError(text)
            version = int(match[1]) - 1
            place = _EPOCH + int(match[2]) * _MICROSECOND
            cursor = cls(place, int(match[3]), Order.EVENT if version & 2 else Order.PUBLISHED, bool(version & 1))
        except (binascii.Error, UnicodeError, ValueError, OverflowError):
            raise BadCursorError(text) from None
        if str(cursor) != text or cursor.order is not order:  # one place has one spelling
            raise BadCursorError(text)
        return cursor


@dataclass(frozen=True, slots=True)
class SourceCursor:
    """A place in the list of sources, which is in the order of their slugs: just behind a slug."""

    slug: str

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(f"s.{self.slug}".encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> SourceCursor:
        """Read a cursor that another page gave.

        Raises:
            BadCursorError: the text is not such a cursor.
        """
        try:
            plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
        except (binascii.Error, UnicodeError, ValueError):
            raise BadCursorError(text) from None
        match = _SOURCE_CURSOR.fullmatch(plain)
        if match is None or str(cls(match[1])) != text:  # one place has one spelling
            raise BadCursorError(text)
        return cls(match[1])


@dataclass(frozen=True, slots=True)
class Query:
    """Which part of the stream: visible items that fit every filter. Empty filters mean all.

    `since` (inclusive) and `until` (exclusive) bound what the stream is ordered by.
    """

    kinds: frozenset[ActivityKind] = frozenset()
    networks: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()  # slugs
    topics: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()  # ISO 3166, two capitals
    languages: frozenset[str] = frozenset()  # BCP 47, lower case; "en" is also found in "en-gb"
    has: frozenset[str] = frozenset()  # "media", "event": all of them
    since: datetime | None = None
    until: datetime | None = None
    search: Search | None = None
    order: Order = Order.PUBLISHED
    limit: int = DEFAULT_LIMIT
    after: Cursor | None = None
    stitch: bool = True  # reposts of one original that stand close together are one entry
    by_story: bool = False  # everything about one thing that stands close together is one entry
    not_withheld_in: frozenset[str] = frozenset()  # without what its network withholds in these countries

    @property
    def is_filtered(self) -> bool:
        """Whether it leaves anything of the stream out."""
        plain = Query(order=self.order, limit=self.limit, after=self.after, stitch=self.stitch)
        plain = replace(plain, by_story=self.by_story)
        return self != plain


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the stream; `revision` is the stream's when it was read.

    `next` leads on (older items) and is None at the end, `prev` leads back and is None at the beginning. `partial`:
    rare things are looked for in a bounded part of the stream at a time; there may be fewer items than asked for, even
    none, and `next` goes on looking. `examined` counts the entries that were looked at beyond those shown.
    """

    items: Sequence[Activity]
    next: Cursor | None
    revision: int
    prev: Cursor | None = None
    partial: bool = False
    examined: int = 0
    others: Mapping[int, Sequence[Activity]] = field(default_factory=dict)  # what collapsed, by the id shown
    pinned: Sequence[Activity] = ()  # on the first page: what editors want on top; it keeps its place besides


@dataclass(frozen=True, slots=True)
class Facets:
    """How many activities that fit a query bear each tag: by its kind ("topic", "country", ...), then by value.

    Only the newest `examined` ones are counted; `partial` says that there are more.
    """

    counts: Mapping[str, Mapping[str, int]]
    examined: int
    partial: bool
    revision: int


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything that changed after a revision, each thing once, in revision order.

    `activities` are those shown now; `gone` are ids that left the public stream (deleted, hidden, withdrawn), with
    their revision. `upto` is the revision to ask from next; `more` says that there is more already.
    """

    activities: Sequence[Activity]
    gone: Sequence[tuple[int, int]]  # (id, revision)
    sources: Sequence[Source]
    actors: Sequence[tuple[Actor, int]]  # with their revision
    upto: int
    more: bool


class StreamMark(NamedTuple):
    """A state of the stream, to compare a later one with."""

    revision: int
    changed: datetime | None  # when it came to this revision; None: before that was noted
    activity: int  # the newest ids
    actor: int
