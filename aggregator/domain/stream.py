"""Define queries and results of the merged stream: `Query`, `Cursor`, `Page`, `Changes`. Pure."""

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
_LARGEST_ID = 2**63 - 2  # the next id must still fit the databases' integers


class Order(StrEnum):
    """The order of the stream."""

    PUBLISHED = "published"  # newest first
    EVENT = "event"  # events only, by start time, earliest first


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A position in the stream: just after the item at `(position, id)`, or before it if `back`.

    Opaque and versioned on the wire. It stays valid when that item is removed.
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
        """Parse the cursor of a page of the same order.

        Raises:
            BadCursorError: the text isn't such a cursor.
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
        if str(cursor) != text or cursor.order is not order:  # each position has one spelling
            raise BadCursorError(text)
        return cursor


@dataclass(frozen=True, slots=True)
class SourceCursor:
    """A position in the list of sources, which is ordered by slug: just after a slug."""

    slug: str

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(f"s.{self.slug}".encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> SourceCursor:
        """Parse the cursor of another page.

        Raises:
            BadCursorError: the text isn't such a cursor.
        """
        try:
            plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
        except (binascii.Error, UnicodeError, ValueError):
            raise BadCursorError(text) from None
        match = _SOURCE_CURSOR.fullmatch(plain)
        if match is None or str(cls(match[1])) != text:  # each position has one spelling
            raise BadCursorError(text)
        return cls(match[1])


@dataclass(frozen=True, slots=True)
class Query:
    """The filters and page of the stream; visible items that match all filters. Empty filters match all.

    `since` (inclusive) and `until` (exclusive) bound the value that orders the stream.
    """

    kinds: frozenset[ActivityKind] = frozenset()
    networks: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()  # slugs
    topics: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()  # ISO 3166, two capitals
    languages: frozenset[str] = frozenset()  # BCP 47, lower case; "en" is also found in "en-gb"
    has: frozenset[str] = frozenset()  # "media", "event": all are required
    since: datetime | None = None
    until: datetime | None = None
    search: Search | None = None
    order: Order = Order.PUBLISHED
    limit: int = DEFAULT_LIMIT
    after: Cursor | None = None
    stitch: bool = True  # merge nearby reposts of the same original
    by_story: bool = False  # merge nearby items of the same story
    not_withheld_in: frozenset[str] = frozenset()  # exclude items withheld by their network in these countries

    @property
    def is_filtered(self) -> bool:
        """Whether any filter is set."""
        plain = Query(order=self.order, limit=self.limit, after=self.after, stitch=self.stitch)
        plain = replace(plain, by_story=self.by_story)
        return self != plain


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the stream at a `revision`.

    `next` leads to older items and is None at the end; `prev` leads to newer items and is None at the beginning.
    `partial`: a bounded part of the stream was searched, so the page may have fewer items than requested, even none,
    and `next` continues the search. `examined` counts the entries examined besides those shown.
    """

    items: Sequence[Activity]
    next: Cursor | None
    revision: int
    prev: Cursor | None = None
    partial: bool = False
    examined: int = 0
    others: Mapping[int, Sequence[Activity]] = field(default_factory=dict)  # merged items, by the id shown
    pinned: Sequence[Activity] = ()  # on the first page: pinned items, which also keep their position


@dataclass(frozen=True, slots=True)
class Facets:
    """The number of matching activities by tag type ("topic", "country", ...) and value.

    Only the newest `examined` ones are counted; `partial`: there may be more.
    """

    counts: Mapping[str, Mapping[str, int]]
    examined: int
    partial: bool
    revision: int


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes after a revision, each item once, in revision order.

    `activities` are visible; `gone` are ids that left the public stream (deleted, hidden, withdrawn), with their
    revision. `upto` is the revision for the next request; `more`: more changes are available.
    """

    activities: Sequence[Activity]
    gone: Sequence[tuple[int, int]]  # (id, revision)
    sources: Sequence[Source]
    actors: Sequence[tuple[Actor, int]]  # with their revision
    upto: int
    more: bool


class StreamNews(NamedTuple):
    """A change of the stream: its revision, and whether cached items may be outdated."""

    revision: int
    altered: int | None  # the newest revision so far that edited or removed an item; None: unknown


class StreamMark(NamedTuple):
    """A state of the stream, for comparison with later ones."""

    revision: int
    changed: datetime | None  # when it reached this revision; None: unknown
    activity: int  # the newest ids
    actor: int
    trace: str | None = None  # the `traceparent` of what caused the last revision; None: it was not recorded
