"""Compare complete RSS and Atom documents."""

from __future__ import annotations

import re
from datetime import timedelta

from lxml import etree

from aggregator.domain.activity import Actor, Media
from aggregator.reader.feeds import atom, rss
from tests.building import NOON
from tests.reader.feeds.building import PICTURES, a_feed, an_item

ITEM = an_item(
    7,
    title="Open & shut",
    html="<p>At <b>last</b>.</p>",
    actor=Actor("web", "desk", "News Desk", url="https://news.example/desk"),
    hashtags=("open",),
    lang="en-GB",
    updated=NOON + timedelta(hours=1),
    media=(Media("audio", f"{PICTURES}/talk.mp3?a=1&b=2", "The talk", bytes=10, duration=1.5),),
)
ARCHIVE = a_feed(
    [ITEM],
    archive=True,
    next=None,
    prev=None,
    self_url="https://example.org/feed.x?archive=b",
    first="https://example.org/feed.x",
    prev_archive="https://example.org/feed.x?archive=a",
    next_archive="https://example.org/feed.x?archive=c",
)
RSS = """<?xml version='1.0' encoding='utf-8'?>
<rss version="2.0">
  <channel>
    <title>Activity Stream</title>
    <link>https://example.org/?kind=post</link>
    <description>Posts, news &amp; events</description>
    <language>en</language>
    <lastBuildDate>Mon, 02 Mar 2026 13:00:00 +0000</lastBuildDate>
    <docs>https://www.rssboard.org/rss-specification</docs>
    <ttl>5</ttl>
    <atom:link rel="self" type="application/rss+xml" href="https://example.org/feed.x?archive=b"/>
    <atom:link rel="current" type="application/rss+xml" href="https://example.org/feed.x"/>
    <atom:link rel="prev-archive" type="application/rss+xml" href="https://example.org/feed.x?archive=a"/>
    <atom:link rel="next-archive" type="application/rss+xml" href="https://example.org/feed.x?archive=c"/>
    <fh:archive/>
    <item xml:lang="en-GB">
      <title>Open &amp; shut</title>
      <link>https://news.example/7</link>
      <guid isPermaLink="false">tag:example.org,2026-11-23:activity/7</guid>
      <pubDate>Mon, 02 Mar 2026 12:00:00 +0000</pubDate>
      <atom:updated>2026-03-02T13:00:00Z</atom:updated>
      <dc:creator>News Desk</dc:creator>
      <dc:source>News and Events</dc:source>
      <category>open</category>
      <category domain="tag:example.org,2026-11-23:topic">budget</category>
      <category domain="tag:example.org,2026-11-23:country">CL</category>
      <description>At last.</description>
      <content:encoded>&lt;p&gt;At &lt;b&gt;last&lt;/b&gt;.&lt;/p&gt;</content:encoded>
      <enclosure url="https://pictures.example/talk.mp3?a=1&amp;b=2" length="10" type="audio/mpeg"/>
      <media:content url="https://pictures.example/talk.mp3?a=1&amp;b=2" fileSize="10" type="audio/mpeg" medium="audio" duration="2">
        <media:description type="plain">The talk</media:description>
      </media:content>
    </item>
  </channel>
</rss>
"""  # noqa: E501  # an element is on a line of its own
ATOM = """<?xml version='1.0' encoding='utf-8'?>
<feed xml:lang="en">
  <id>tag:example.org,2026-11-23:feed</id>
  <title>Activity Stream</title>
  <subtitle>Posts, news &amp; events</subtitle>
  <updated>2026-03-02T13:00:00Z</updated>
  <author>
    <name>Activity Stream</name>
    <uri>https://example.org/?kind=post</uri>
  </author>
  <link rel="alternate" type="text/html" href="https://example.org/?kind=post"/>
  <link rel="self" type="application/atom+xml" href="https://example.org/feed.x?archive=b"/>
  <link rel="current" type="application/atom+xml" href="https://example.org/feed.x"/>
  <link rel="prev-archive" type="application/atom+xml" href="https://example.org/feed.x?archive=a"/>
  <link rel="next-archive" type="application/atom+xml" href="https://example.org/feed.x?archive=c"/>
  <fh:archive/>
  <entry xml:lang="en-GB">
    <id>tag:example.org,2026-11-23:activity/7</id>
    <title>Open &amp; shut</title>
    <published>2026-03-02T12:00:00Z</published>
    <updated>2026-03-02T13:00:00Z</updated>
    <author>
      <name>News Desk</name>
      <uri>https://news.example/desk</uri>
    </author>
    <link rel="alternate" type="text/html" href="https://news.example/7"/>
    <link rel="enclosure" type="audio/mpeg" href="https://pictures.example/talk.mp3?a=1&amp;b=2" length="10" title="The talk"/>
    <category term="open"/>
    <category term="budget" scheme="tag:example.org,2026-11-23:topic"/>
    <category term="CL" scheme="tag:example.org,2026-11-23:country"/>
    <dc:source>News and Events</dc:source>
    <summary>At last.</summary>
    <content type="html">&lt;p&gt;At &lt;b&gt;last&lt;/b&gt;.&lt;/p&gt;</content>
    <media:content url="https://pictures.example/talk.mp3?a=1&amp;b=2" fileSize="10" type="audio/mpeg" medium="audio" duration="2">
      <media:description type="plain">The talk</media:description>
    </media:content>
  </entry>
</feed>
"""  # noqa: E501  # an element is on a line of its own


def laid_out(document: bytes) -> str:
    """Return a document with a line for each element, without its declarations of namespaces."""
    root = etree.fromstring(document)
    text = etree.tostring(root, pretty_print=True, xml_declaration=True, encoding="utf-8").decode()
    return re.sub(r' xmlns(?::\w+)?="[^"]*"', "", text)


def test_an_archive_in_rss() -> None:
    assert laid_out(rss.render(ARCHIVE)) == RSS


def test_an_archive_in_atom() -> None:
    assert laid_out(atom.render(ARCHIVE)) == ATOM


def test_a_page_leads_to_its_neighbours_and_the_whole_to_the_newest_archive() -> None:
    whole = a_feed([], prev=None, prev_archive="https://example.org/feed.x?archive=z", whole=True)
    for written, feed, relations in (
        (rss, a_feed([]), ["self", "first", "next", "previous"]),
        (rss, whole, ["self", "first", "next", "prev-archive"]),
    ):
        found = etree.fromstring(written.render(feed)).findall("channel/{http://www.w3.org/2005/Atom}link")
        assert [link.get("rel") for link in found] == relations
