"""Render ActivityStreams 2.0 (https://www.w3.org/TR/activitystreams-core/): collections, pages, activities. Pure.

All ids are URLs below our own: strict readers accept an embedded object only with the same origin as its document. An
activity's id is its page, which responds with this format if `Accept` prefers it.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from aggregator.domain.activity import ActivityKind
from aggregator.reader.feeds.as2_objects import (
    actor_id,
    object_of,
    original_of_activity,
    person,
    without_none,
)
from aggregator.reader.feeds.entry_html import title_of
from aggregator.reader.feeds.feed import published_at, updated_at
from aggregator.reader.feeds.sanitize import address, legible_json
from aggregator.web.dates import machine_time

if TYPE_CHECKING:
    from aggregator.domain.activity import Activity
    from aggregator.reader.feeds.feed import Feed, Terms

MEDIA_TYPE = "application/activity+json"

# Both terms belong to the ActivityStreams namespace, but its context document omits them.
_CONTEXT = ["https://www.w3.org/ns/activitystreams", {"sensitive": "as:sensitive", "Hashtag": "as:Hashtag"}]


def render(feed: Feed) -> bytes:
    """Return the collection, which only links to its pages, or a page of it."""
    return _encoded(_collection(feed) if feed.whole else _page(feed))


def one(item: Activity, terms: Terms) -> bytes:
    """Return a single activity."""
    return _encoded(_activity(item, terms))


def tombstone(id_: str) -> bytes:
    """Return the tombstone of an activity that is no longer visible: its id only."""
    return _encoded({"id": id_, "type": "Tombstone"})


def _collection(feed: Feed) -> dict[str, Any]:
    return {
        "id": feed.first,
        "type": "OrderedCollection",
        "name": feed.title,
        "summary": escape(feed.description),
        "url": feed.home,
        "updated": machine_time(feed.updated),
        "first": feed.first_page,
    }


def _page(feed: Feed) -> dict[str, Any]:
    return {
        "id": feed.self_url,
        "type": "OrderedCollectionPage",
        "name": feed.title,
        "partOf": feed.first,
        "updated": machine_time(feed.updated),
        "next": feed.prev_archive if feed.archive else feed.next or feed.prev_archive,
        "prev": feed.next_archive if feed.archive else feed.prev,
        "orderedItems": [_activity(item, feed.terms) for item in feed.items],
    }


def _activity(item: Activity, terms: Terms) -> dict[str, Any]:
    content = terms.audience.content(item.content)
    repost = content.kind is ActivityKind.REPOST
    published, updated = published_at(item), updated_at(item, terms.audience, terms.now)
    actor = person(content.actor, actor_id(item, terms)) if content.actor else None
    return without_none(
        {
            "id": terms.page_of(item.id),
            "type": "Announce" if repost else "Create",
            "actor": actor,
            "summary": escape(title_of(item, terms.audience)),
            "url": address(content.url) or terms.page_of(item.id),
            "published": machine_time(published),
            "updated": machine_time(updated) if updated > published else None,
            "object": original_of_activity(item, terms) if repost else object_of(item, terms),
        }
    )


def _encoded(value: dict[str, Any]) -> bytes:
    return to_json(legible_json({"@context": _CONTEXT, **without_none(value)}))
