"""Render RSS 2.0 (https://www.rssboard.org/rss-specification and rss-profile). Pure."""

from __future__ import annotations

from datetime import UTC
from email.utils import format_datetime
from html import escape
from typing import TYPE_CHECKING

from lxml import etree

from aggregator.reader.feeds.enclosures import foremost
from aggregator.reader.feeds.entries import entry_of
from aggregator.reader.feeds.sanitize import language
from aggregator.reader.feeds.xml import (
    ATOM,
    CONTENT,
    DC,
    HISTORY,
    MEDIA,
    add,
    add_media,
    document,
    in_language,
    paging,
)
from aggregator.web.dates import machine_time

if TYPE_CHECKING:
    from datetime import datetime

    from lxml.etree import _Element

    from aggregator.reader.feeds.entries import Entry
    from aggregator.reader.feeds.feed import Feed

MEDIA_TYPE = "application/rss+xml"

_SPECIFICATION = "https://www.rssboard.org/rss-specification"
# Minutes for which readers may cache the feed. Hidden items should leave their caches soon, and a 304 costs only a few
# bytes; still, some programs poll exactly at this interval.
_TTL = "5"
_PREFIXES = {"atom": ATOM, "content": CONTENT, "dc": DC, "fh": HISTORY, "media": MEDIA}


def render(feed: Feed) -> bytes:
    """Return a feed document in UTF-8."""
    root = etree.Element("rss", nsmap={prefix: name.strip("{}") for prefix, name in _PREFIXES.items()})
    root.set("version", "2.0")
    channel = add(root, "channel")
    add(channel, "title", feed.title)
    add(channel, "link", feed.home)
    add(channel, "description", feed.description)
    if lang := language(feed.language):
        add(channel, "language", lang)
    add(channel, "lastBuildDate", _rfc822(feed.updated))
    add(channel, "docs", _SPECIFICATION)
    add(channel, "ttl", _TTL)
    add(channel, f"{ATOM}link", rel="self", type=MEDIA_TYPE, href=feed.self_url)
    for relation, url in paging(feed):
        add(channel, f"{ATOM}link", rel=relation, type=MEDIA_TYPE, href=url)
    if feed.archive:
        add(channel, f"{HISTORY}archive")
    for item in feed.items:
        _add_item(channel, entry_of(item, feed.terms))
    return document(root)


def _add_item(channel: _Element, entry: Entry) -> None:
    item = add(channel, "item")
    in_language(item, entry.lang)
    add(item, "title", entry.title)
    add(item, "link", entry.link)
    add(item, "guid", entry.id, isPermaLink="false")
    add(item, "pubDate", _rfc822(entry.published))
    if entry.updated > entry.published:
        add(item, f"{ATOM}updated", machine_time(entry.updated))
    if entry.author:
        add(item, f"{DC}creator", entry.author.name)  # RSS's own <author> is an e-mail address
    add(item, f"{DC}source", entry.source.name)  # RSS's own <source> needs a feed's URL, which X doesn't have
    for category in entry.categories:
        add(item, "category", category.term, domain=category.scheme)
    add(item, "description", escape(entry.summary, quote=False))  # the only HTML text in RSS
    add(item, f"{CONTENT}encoded", entry.html)
    if enclosure := foremost(entry.enclosures):  # a single one: many readers take the last or first of several
        add(item, "enclosure", url=enclosure.url, length=str(enclosure.size or 0), type=enclosure.mime)
    for enclosure in entry.enclosures:
        add_media(item, enclosure, sensitive=entry.sensitive)


def _rfc822(moment: datetime) -> str:
    """Return "Mon, 02 Mar 2026 12:00:00 +0000"."""
    return format_datetime(moment.astimezone(UTC))
