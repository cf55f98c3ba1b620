"""Define `Feed`, which all formats render, the terms for its items, and permanent ids. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from aggregator.web.dates import Dates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.activity import Activity
    from aggregator.reader.visibility import Audience

IN_UTC = Dates(UTC, "en_GB")

_IN_TAG = "-._~!$&'()*+,;=:@/"  # characters allowed by RFC 4151; "?" separates a feed's filters


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms for items in any format."""

    authority: tuple[str, str]  # of `tag:` ids: a name and a day on which it was ours: ("a.org", "2026-11-23")
    audience: Audience
    base: str  # public URL without a trailing slash
    dates: Dates  # the formats for event times
    now: datetime  # publishers' later dates are ignored
    others: Mapping[int, Sequence[Activity]] = field(default_factory=dict)  # merged reposts, by the id shown

    def page_of(self, activity_id: int) -> str:
        """Return the URL of our page about an activity, which is also its ActivityStreams id."""
        return f"{self.base}/activities/{activity_id}"


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed document. All URLs are absolute and contain the feed's filters."""

    title: str
    description: str
    home: str  # the HTML page with the same filters
    self_url: str  # URL of this document
    first: str  # the document to subscribe to, which always has the newest items
    first_page: str  # the first page, for formats that separate pages from the collection
    next: str | None  # older items
    prev: str | None  # newer items
    prev_archive: str | None  # RFC 5005, section 4: documents that no longer change
    next_archive: str | None
    archive: bool  # this is an archive
    whole: bool  # this is `first`, neither page nor archive
    updated: datetime  # the last change of the items, see `newest`; aware
    items: Sequence[Activity]
    authority: tuple[str, str]  # as in `Terms`
    audience: Audience
    base: str
    now: datetime
    language: str | None = None  # BCP 47, of our own texts
    dates: Dates = IN_UTC
    others: Mapping[int, Sequence[Activity]] = field(default_factory=dict)  # merged reposts, by the id shown

    @property
    def terms(self) -> Terms:
        """Return the terms for its items."""
        return Terms(self.authority, self.audience, self.base, self.dates, self.now, self.others)

    @property
    def id(self) -> str:
        """Return the id that all documents of this feed share, in all formats, even after a move."""
        query = urlsplit(self.first).query
        return tag(self.authority, f"feed?{quote(query, safe=_IN_TAG + '%')}" if query else "feed")


def tag(authority: tuple[str, str], specific: str) -> str:
    """Return a `tag:` id (RFC 4151)."""
    name, day = authority
    return f"tag:{name},{day}:{specific}"


def tag_id(activity_id: int, authority: tuple[str, str]) -> str:
    """Return the permanent id of an activity in RSS, Atom, JSON Feed and calendars."""
    return tag(authority, f"activity/{activity_id}")


def published_at(item: Activity) -> datetime:
    """Return the publication time of an item, aware, in UTC.

    Without a publisher's date this is when the item was first seen; if the date was in the future then, its position in
    the stream, so that readers sort it as the page does.
    """
    published = item.content.published
    return min(published, item.position) if published else item.first_seen


def updated_at(item: Activity, audience: Audience, now: datetime) -> datetime:
    """Return the last change by the publisher or in the audience's rights, aware, in UTC."""
    published, updated = published_at(item), audience.content(item.content).updated
    return max(past(updated, now) or published, published)


def past(moment: datetime | None, now: datetime) -> datetime | None:
    """Return a publisher's date, or None if it is in the future."""
    return moment if moment and moment <= now else None


def newest(items: Iterable[Activity], audience: Audience, now: datetime, otherwise: datetime) -> datetime:
    """Return the last change of the items for `Feed.updated`; without items, the default."""
    return max((updated_at(item, audience, now) for item in items), default=otherwise)
