"""ActivityStreams 2.0 (https://www.w3.org/TR/activitystreams-core/): collections, pages, single activities. Pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from aggregator.activity import ActivityKind
from aggregator.reader.feeds.feed import IN_UTC, Terms, published_at, tag_id, updated_at
from aggregator.reader.feeds.things import object_of, original_of_activity, person, said_only
from aggregator.reader.feeds.wording import title_of
from aggregator.reader.feeds.written import address, legible_json
from aggregator.web.dates import machine_time

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from aggregator.activity import Activity
    from aggregator.reader.audience import Audience
    from aggregator.reader.feeds.feed import Feed
    from aggregator.web.dates import Dates

MEDIA_TYPE = "application/activity+json"

# The two words are ActivityStreams' own and everybody's, but its context document leaves them out.
_CONTEXT = ["https://www.w3.org/ns/activitystreams", {"sensitive": "as:sensitive", "Hashtag": "as:Hashtag"}]


def render(feed: Feed) -> bytes:
    """Return the collection, which only says where its pages begin, or else a page of it."""
    return _encoded(_collection(feed) if feed.whole else _page(feed))


def one(
    item: Activity,
    authority: tuple[str, str],
    audience: Audience,
    link_of: Callable[[int], str],
    dates: Dates = IN_UTC,
) -> bytes:
    """Return a single activity."""
    return _encoded(_activity(item, Terms(authority, audience, link_of, dates)))


def tombstone(activity_id: int, authority: tuple[str, str], deleted: datetime | None = None) -> bytes:
    """Return what is left of an activity that is shown no longer: that it was, and when it went, but nothing of it."""
    return _encoded(
        {
            "id": tag_id(activity_id, authority),
            "type": "Tombstone",
            "deleted": machine_time(deleted) if deleted else None,
        }
    )


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
    said = terms.audience.content(item.content)
    repost = said.kind is ActivityKind.REPOST
    published, updated = published_at(item), updated_at(item, terms.audience)
    actor = person(said.actor, terms) if said.actor else None
    return said_only(
        {
            "id": tag_id(item.id, terms.authority),
            "type": "Announce" if repost else "Create",
            "actor": actor,
            "summary": escape(title_of(item, terms.audience)),
            "url": address(said.url) or terms.link_of(item.id),
            "published": machine_time(published),
            "updated": machine_time(updated) if updated > published else None,
            "object": original_of_activity(item, terms) if repost else object_of(item, terms),
        }
    )


def _encoded(value: dict[str, Any]) -> bytes:
    return to_json(legible_json({"@context": _CONTEXT, **said_only(value)}))
