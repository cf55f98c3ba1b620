"""Group activities about the same thing into stories. Pure.

An article, an event or a video is its own story; a post belongs to the first page that it links to, a repost to the
story of its original, and any other to itself. Posts of one organization on several networks can be one announcement,
see `announcements`. Editors can split and merge stories at the review desk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from aggregator.domain.activity import ActivityKind
from aggregator.domain.networks import WEB, network_at
from aggregator.text.urls import web_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from aggregator.domain.activity import Activity, Content, NewActivity

MOST_LINKS = 20  # of one post; more links mean it isn't about one thing
_WHOLE = frozenset({ActivityKind.ARTICLE, ActivityKind.EVENT, ActivityKind.VIDEO})


def story_of(new: NewActivity) -> str:
    """Return the key of an activity's story."""
    if new.content.kind in _WHOLE:
        return new.object_key or new.key  # a recurring event belongs to its series
    for content in _contents(new):
        if (page := page_of(content)) is not None:
            return page
    is_repost = new.content.kind is ActivityKind.REPOST
    return new.object_key if is_repost and new.object_key else new.key


def page_of(content: Content) -> str | None:
    """Return the key of the first page that a post links to."""
    return next(_keys(content), None)


def leads(item: Activity) -> int:
    """Return the sort key within a story: the linked page first, then original posts."""
    if item.content.kind in _WHOLE:
        return 0
    if item.content.kind is ActivityKind.REPOST:
        return 3
    return 1 if item.key == item.story else 2


def lasting_lead(story: Sequence[Activity]) -> Activity:
    """Return the item of a story that leads it in feeds: of equals the first that was collected.

    So an item that joins later does not appear as a new entry with the same content.
    """
    return min(story, key=lambda item: (leads(item), item.id))


def links_of(new: NewActivity) -> Sequence[str]:
    """Return the keys of all links of a post; an article is known by its own URL."""
    if new.content.network == WEB:
        return ()
    addresses = [link.url for content in _contents(new) for link in content.links][:MOST_LINKS]
    return list(dict.fromkeys(web_key(address) for address in addresses))


def _contents(new: NewActivity) -> Iterator[Content]:
    yield new.content
    if new.object is not None and new.content.kind is ActivityKind.REPOST:
        yield new.object.content


def _keys(content: Content) -> Iterator[str]:
    if content.network == WEB:
        return
    yield from (web_key(link.url) for link in content.links[:MOST_LINKS] if not _within_a_network(link.url))


def _within_a_network(address: str) -> bool:
    """Return whether a link leads into a network: a quoted post or its picture isn't a web page."""
    try:
        host = urlsplit(address).hostname
    except ValueError:  # a bracket that is not an IPv6 address
        return False
    return host is not None and network_at(host) is not None


class Related(NamedTuple):
    """An activity of the same story."""

    id: int
    kind: str
    source: str  # its name
    title: str | None
    text: str | None
    review: str
    position: datetime
