"""Test events in feeds: xCal, the event module of RSS 1.0, schema.org and event lines; also films."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import pytest

from aggregator.domain.activity import ActivityKind
from aggregator.sources.rss.parse import normalise
from aggregator.web.video_players import player

if TYPE_CHECKING:
    from aggregator.domain.activity import Content

NAMESPACES = (
    'xmlns:ev="http://purl.org/rss/1.0/modules/event/" xmlns:xcal="urn:ietf:params:xml:ns:xcal" '
    'xmlns:media="http://search.yahoo.com/mrss/"'
)
LINKED = (
    '<script type="application/ld+json">{"@graph": [{"@type": "BusinessEvent", "name": "X", '
    '"startDate": "2014-04-16T10:00:00-04:00", "endDate": "2014-04-16T11:00:00-04:00", '
    '"eventStatus": "https://schema.org/EventCancelled", "location": [{"@type": "Place", "name": "Dublin Castle"}, '
    '{"@type": "VirtualLocation", "url": "https://meet.example/1"}]}]}</script><p>Come</p>'
)
MICRODATA = (
    '<div itemscope itemtype="https://schema.org/Event"><time itemprop="startDate" datetime="2014-04-16">16.4.</time>'
    '<meta itemprop="endDate" content="2014-04-18"></div>'
)


def read(inner: str, published: str = "Wed, 02 Apr 2014 00:00:00 GMT") -> Content:
    feed = (
        f'<rss version="2.0" {NAMESPACES}><channel><title>F</title><item><guid>1</guid><title>T</title>'
        f"<pubDate>{published}</pubDate>{inner}</item></channel></rss>"
    )
    (activity,) = normalise(feed.encode(), "application/rss+xml", "https://f.example/feed").activities
    return activity.content


def description(html: str) -> str:
    return f"<description>{escape(html)}</description>"


@pytest.mark.parametrize(
    ("inner", "start", "place"),
    [
        ("<ev:startdate>2014-04-16T10:00:00-04:00</ev:startdate><ev:location>Bali</ev:location>", 14, "Bali"),
        ("<xcal:dtstart>20140416T140000Z</xcal:dtstart>", 14, None),
        ("<ev:startdate>Wed, 16 Apr 2014 14:00:00 GMT</ev:startdate>", 14, None),
        (description(LINKED), 14, "Dublin Castle"),
        (description("<p>Wednesday, April 16, 2014<br>10:00 - 11:00 AM EST</p>"), 14, None),
    ],
)
def test_events_are_told(inner: str, start: int, place: str | None) -> None:
    content = read(inner)

    assert content.kind is ActivityKind.EVENT
    assert content.event is not None
    assert content.event.start == datetime(2014, 4, 16, start, tzinfo=UTC)
    assert content.event.place == place


def test_schema_org_tells_where_online_and_that_it_is_cancelled() -> None:
    event = read(description(LINKED)).event

    assert event is not None
    assert (event.online, event.cancelled, event.zone_label) == ("https://meet.example/1", True, "-04:00")
    assert "ld+json" not in read(description(LINKED)).html


def test_whole_days_name_their_last_day() -> None:
    event = read(description(MICRODATA)).event

    assert event is not None
    assert event.all_day
    assert event.end == datetime(2014, 4, 19, tzinfo=UTC)


@pytest.mark.parametrize(
    "inner",
    [
        "<ev:startdate>soon</ev:startdate>",
        "<ev:startdate>99999999T999999Z</ev:startdate>",
        description('<script type="application/ld+json">{"@type": "Event", "startDate": 5}</script>x'),
        description('<script type="application/ld+json">' + "[" * 5000 + "</script>startDate"),
        description("The meeting takes place in Dublin on 8-9 May 2014."),
        description("<p>April 1, 2014 10:00 AM EST</p>"),  # before it was published: when it was written
    ],
)
def test_what_is_not_clear_stays_an_article(inner: str) -> None:
    content = read(inner)

    assert content.kind is ActivityKind.ARTICLE
    assert content.event is None


def test_a_channel_of_films_is_videos_with_a_player() -> None:
    feed = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:yt="http://www.youtube.com/xml/schemas/2015"
     xmlns:media="http://search.yahoo.com/mrss/"><title>Channel</title><id>yt:channel:1</id>
     <entry><id>yt:video:abcdefghijk</id><yt:videoId>abcdefghijk</yt:videoId><title>A film</title>
     <link rel="alternate" href="https://www.youtube.com/watch?v=abcdefghijk"/>
     <published>2014-04-02T00:00:00+00:00</published>
     <media:group><media:title>A film</media:title>
     <media:content url="https://www.youtube.com/v/abcdefghijk?version=3" type="application/x-shockwave-flash"
       width="640" height="390" duration="83"/>
     <media:thumbnail url="https://i4.ytimg.com/vi/abcdefghijk/hqdefault.jpg" width="480" height="360"/>
     <media:description>Words on it.</media:description></media:group></entry></feed>"""

    (activity,) = normalise(
        feed.encode(), "application/atom+xml", "https://www.youtube.com/feeds/videos.xml"
    ).activities

    content = activity.content
    assert content.kind is ActivityKind.VIDEO
    assert (content.media[0].duration, content.media[0].preview) == (
        83, "https://i4.ytimg.com/vi/abcdefghijk/hqdefault.jpg",
    )  # fmt: skip
    found = player(content)
    assert found is not None
    assert found.frame == "https://www.youtube-nocookie.com/embed/abcdefghijk?autoplay=1"
