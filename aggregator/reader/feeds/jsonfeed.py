"""Render JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from aggregator.reader.feeds.entries import entry_of
from aggregator.reader.feeds.sanitize import language, legible_json
from aggregator.web.dates import machine_time

if TYPE_CHECKING:
    from aggregator.reader.feeds.enclosures import Enclosure
    from aggregator.reader.feeds.entries import Author, Entry
    from aggregator.reader.feeds.feed import Feed

MEDIA_TYPE = "application/feed+json"

_VERSION = "https://jsonfeed.org/version/1.1"


def render(feed: Feed) -> bytes:
    """Return a feed document in UTF-8."""
    document = {
        "version": _VERSION,
        "title": feed.title,
        "home_page_url": feed.home,
        "feed_url": feed.self_url,
        "description": feed.description,
        "next_url": feed.prev_archive if feed.archive else feed.next or feed.prev_archive,
        "language": language(feed.language),
        "items": [_item(entry_of(item, feed.terms)) for item in feed.items],
    }
    return to_json(legible_json(_without_none(document)))


def _item(entry: Entry) -> dict[str, Any]:
    stills = () if entry.sensitive else (enclosure.still for enclosure in entry.enclosures)
    return _without_none(
        {
            "id": entry.id,
            "url": entry.page,
            "external_url": entry.original,
            "title": entry.own_title,
            "content_html": entry.html,
            "content_text": entry.text,
            "summary": entry.summary if entry.summary != entry.text else None,
            "image": next((still for still in stills if still), None),
            "date_published": machine_time(entry.published),
            "date_modified": machine_time(entry.updated),
            "authors": [_author(entry.author)] if entry.author else None,
            "tags": list(dict.fromkeys(category.term for category in entry.categories)) or None,
            "language": entry.lang,
            "attachments": [_attachment(enclosure) for enclosure in entry.enclosures] or None,
            "_source": {"slug": entry.source.slug, "name": entry.source.name},
        }
    )


def _author(author: Author) -> dict[str, Any]:
    return _without_none({"name": author.name, "url": author.url, "avatar": author.avatar})


def _attachment(enclosure: Enclosure) -> dict[str, Any]:
    return _without_none(
        {
            "url": enclosure.url,
            "mime_type": enclosure.mime,
            "title": enclosure.alt or None,
            "size_in_bytes": enclosure.size,
            "duration_in_seconds": enclosure.duration,
        }
    )


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    """Drop missing values: JSON Feed has no null."""
    return {name: value for name, value in values.items() if value is not None}
