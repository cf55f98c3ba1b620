"""What every feed format renders: `Feed`, the terms on which its items are given, and ids that never change. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from aggregator.web.dates import Dates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from aggregator.activity import Activity
    from aggregator.reader.audience import Audience

IN_UTC = Dates(UTC, "en_GB")

_IN_TAG = "-._~!$&'()*+,;=:@/"  # what RFC 4151 lets stand as it is; "?" parts off what names a feed's filters


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms items are given, in whatever format."""

    authority: tuple[str, str]  # of `tag:` ids: a name, and a day on which it was ours: ("a.org", "2026-11-23")
    audience: Audience
    link_of: Callable[[int], str]  # absolute address of our own page of one activity
    dates: Dates  # how the days and hours of events are written


@dataclass(frozen=True, slots=True)
class Feed:
    """One document of a feed. All addresses are absolute, and carry the feed's filters."""

    title: str
    description: str
    home: str  # the page for people with these filters
    self_url: str  # of this document
    first: str  # the document to subscribe to, which always has the newest items
    first_page: str  # the same items as a page, for formats in which pages and the whole are two things
    next: str | None  # older items
    prev: str | None  # newer items
    prev_archive: str | None  # RFC 5005, section 4: the documents that won't change any more
    next_archive: str | None
    archive: bool  # this is one of those
    whole: bool  # this is `first`, and no page or archive
    updated: datetime  # when something last happened to the items, see `newest`; aware
    items: Sequence[Activity]
    authority: tuple[str, str]  # as in `Terms`
    audience: Audience
    link_of: Callable[[int], str]
    language: str | None = None  # BCP 47, of what we say ourselves
    dates: Dates = IN_UTC

    @property
    def terms(self) -> Terms:
        """Return on which terms its items are given."""
        return Terms(self.authority, self.audience, self.link_of, self.dates)

    @property
    def id(self) -> str:
        """Return what all documents of this feed share, in all formats, wherever they may move."""
        query = urlsplit(self.first).query
        return tag(self.authority, f"feed?{quote(query, safe=_IN_TAG + '%')}" if query else "feed")


def tag(authority: tuple[str, str], specific: str) -> str:
    """Return a `tag:` id (RFC 4151)."""
    name, day = authority
    return f"tag:{name},{day}:{specific}"


def tag_id(activity_id: int, authority: tuple[str, str]) -> str:
    """Return the id of an activity in every format, for ever."""
    return tag(authority, f"activity/{activity_id}")


def named_tag(kind: str, name: str, authority: tuple[str, str]) -> str:
    """Return the id of something else that is known by a name: "topic", "actor", "original"."""
    # Half a character has no UTF-8; an id may be made of it all the same.
    return tag(authority, f"{kind}/{quote(name, safe=_IN_TAG.replace('/', ''), errors='replace')}")


def published_at(item: Activity) -> datetime:
    """Return when an item was published, or else when we first saw it, aware, in UTC."""
    return item.content.published or item.first_seen


def updated_at(item: Activity, audience: Audience) -> datetime:
    """Return when an item last changed as far as its publisher and the audience's rights say, aware, in UTC."""
    published = published_at(item)
    return max(audience.content(item.content).updated or published, published)


def newest(items: Iterable[Activity], audience: Audience, otherwise: datetime) -> datetime:
    """Return when the items last changed, for `Feed.updated`; of no items, `otherwise`."""
    return max((updated_at(item, audience) for item in items), default=otherwise)
