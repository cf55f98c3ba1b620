"""What every feed format renders: `Feed`, the terms on which its items are given, and ids that never change. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from aggregator.web.dates import Dates

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from aggregator.domain.activity import Activity
    from aggregator.reader.visibility import Audience

IN_UTC = Dates(UTC, "en_GB")

_IN_TAG = "-._~!$&'()*+,;=:@/"  # what RFC 4151 lets stand as it is; "?" parts off what names a feed's filters


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms items are given, in whatever format."""

    authority: tuple[str, str]  # of `tag:` ids: a name, and a day on which it was ours: ("a.org", "2026-11-23")
    audience: Audience
    base: str  # our public address, without a slash at its end
    dates: Dates  # how the days and hours of events are written
    now: datetime  # what publishers date later than this is not believed

    def page_of(self, activity_id: int) -> str:
        """Return the address of our own page of one activity; it is also its id in ActivityStreams."""
        return f"{self.base}/activities/{activity_id}"


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
    base: str
    now: datetime
    language: str | None = None  # BCP 47, of what we say ourselves
    dates: Dates = IN_UTC

    @property
    def terms(self) -> Terms:
        """Return on which terms its items are given."""
        return Terms(self.authority, self.audience, self.base, self.dates, self.now)

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
    """Return the id of an activity in RSS, Atom, JSON Feed and calendars, for ever."""
    return tag(authority, f"activity/{activity_id}")


def published_at(item: Activity) -> datetime:
    """Return when an item was published, aware, in UTC.

    Where the publisher gives no date, when it was first seen; where that date was in the future then, its place in the
    stream, so that readers sort it as the page does.
    """
    published = item.content.published
    return min(published, item.position) if published else item.first_seen


def updated_at(item: Activity, audience: Audience, now: datetime) -> datetime:
    """Return when an item last changed as far as its publisher and the audience's rights say, aware, in UTC."""
    published, updated = published_at(item), audience.content(item.content).updated
    return max(past(updated, now) or published, published)


def past(moment: datetime | None, now: datetime) -> datetime | None:
    """Return a publisher's date, or None where it is in the future."""
    return moment if moment and moment <= now else None


def newest(items: Iterable[Activity], audience: Audience, now: datetime, otherwise: datetime) -> datetime:
    """Return when the items last changed, for `Feed.updated`; of no items, `otherwise`."""
    return max((updated_at(item, audience, now) for item in items), default=otherwise)
