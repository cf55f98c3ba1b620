"""Build the same entry for each way of reading a feed.

From the tree, from the tree after repairs, with feedparser (tags that do not match), and as JSON Feed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aggregator.sources.rss.parse import normalise

if TYPE_CHECKING:
    from aggregator.domain.activity import Content

URL = "https://feeds.example/feed"
NAMESPACES = (
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" '
    'xmlns:a10="http://www.w3.org/2005/Atom" xmlns:ev="http://purl.org/rss/1.0/modules/event/" '
    'xmlns:xcal="urn:ietf:params:xml:ns:xcal" xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0" '
    'xmlns:pheedo="http://www.pheedo.com/namespace/pheedo" xmlns:gd="http://schemas.google.com/g/2005"'
)
DAMAGES = {"tree": "", "repaired": "Q & A", "feedparser": "Q <b>A"}
XML_WAYS = tuple(DAMAGES)


def rss_entry(way: str, inner: str, head: str = "") -> Content:
    """Return the entry of an RSS feed with these elements in its item and its channel."""
    return _last(
        way,
        f'<rss version="2.0" {NAMESPACES}><channel><title>Paper</title><link>https://paper.example/</link>{head}'
        f"<item><guid isPermaLink='false'>first</guid><title>T</title>{inner}</item>DAMAGE</channel></rss>",
        "<item><guid isPermaLink='false'>last</guid><title>{}</title></item>",
    )


def atom_entry(way: str, inner: str, head: str = "", lang: str = "en") -> Content:
    """Return the entry of an Atom feed with these elements in its entry and its feed."""
    return _last(
        way,
        f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{lang}" {NAMESPACES}><title>Paper</title>'
        f"<id>urn:paper</id>{head}<entry><id>first</id><title>T</title>{inner}</entry>DAMAGE</feed>",
        "<entry><id>last</id><title>{}</title></entry>",
    )


def json_entry(item: dict[str, Any], **feed: Any) -> Content:
    """Return the entry of a JSON Feed with these fields in its item and the feed."""
    document = {
        "version": "https://jsonfeed.org/version/1.1", "title": "Paper", **feed,
        "items": [{"id": "first", "content_text": "t", **item}],
    }  # fmt: skip
    (activity,) = normalise(json.dumps(document).encode(), "application/feed+json", URL).activities
    return activity.content


def _last(way: str, document: str, damage: str) -> Content:
    body = document.replace("DAMAGE", damage.format(DAMAGES[way]) if DAMAGES[way] else "")
    feed = normalise(body.encode(), "application/xml", URL)
    assert ("XML is broken" in (feed.note or "")) == (way == "feedparser")
    assert len(feed.activities) == (2 if DAMAGES[way] else 1)
    return next(activity.content for activity in feed.activities if activity.content.title == "T")
