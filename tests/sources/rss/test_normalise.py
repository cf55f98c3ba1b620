import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.activity import ActivityKind, NewActivity
from aggregator.domain.errors import UnreadableError
from aggregator.sources.rss import detect
from aggregator.sources.rss.limits import LONGEST_TEXT, MOST_ENTRIES
from aggregator.sources.rss.media_rss import straightened
from aggregator.sources.rss.media_types import media_type, seconds, whole
from aggregator.sources.rss.parse import ParsedFeed, normalise

URL = "https://news.example/feed"


def rss(items: str, head: str = "<title>T</title><link>https://news.example/</link>", attributes: str = "") -> bytes:
    return f'<rss version="2.0" {attributes}><channel>{head}{items}</channel></rss>'.encode()


def item(number: int, body: str = "", extra: str = "") -> str:
    return (
        f'<item><guid isPermaLink="false">id-{number}</guid><title>Title {number}</title>'
        f"<link>https://news.example/{number}</link><description>{body}</description>{extra}</item>"
    )


def parse(body: bytes, content_type: str = "application/rss+xml") -> ParsedFeed:
    return normalise(body, content_type, URL)


def only(body: bytes) -> NewActivity:
    (activity,) = parse(body).activities
    return activity


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b"", "application/rss+xml", "an empty body"),
        (b" \r\n ", "", "an empty body"),
        (b"<!DOCTYPE html><title>Log &amp; in</title><p>x", "text/html", 'an HTML page titled "Log & in"'),
        (b"\xef\xbb\xbf<!-- c --><html><head></head></html>", "application/rss+xml", "an HTML page"),
        (b'{"a": 1}', "application/json", "JSON without a feed"),
        (b"[1, 2]", "", "JSON without a feed"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml", "<svg>"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 11_992, "image/png", "image/png of 12 kB"),
        (b"hello", "", "a response without a content type of 5 bytes"),
    ],
)
def test_what_is_no_feed_is_said(body: bytes, content_type: str, words: str) -> None:
    with pytest.raises(UnreadableError, match="Expected a feed") as caught:
        parse(body, content_type)
    assert words in str(caught.value)


@pytest.mark.parametrize("body", [b'<?xml version="1.0"?><rss version="2.0"><chan', b'{"version": "https://jsonfeed'])
def test_what_is_broken_before_the_first_entry_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError, match="broken"):
        parse(body)


def test_json_nested_without_end_is_unreadable() -> None:
    with pytest.raises(UnreadableError, match="broken"):
        parse(b"[" * 200_000)


def test_a_feed_without_entries_is_fine() -> None:
    feed = parse(rss(""))
    assert (feed.title, list(feed.activities), feed.note) == ("T", [], None)


def test_entries_come_oldest_first_with_and_without_dates() -> None:
    undated = parse(rss(item(3) + item(2) + item(1)))
    assert [activity.native_id for activity in undated.activities] == ["id-1", "id-2", "id-3"]
    dates = [f"<pubDate>0{day} Mar 2026 00:00:00 GMT</pubDate>" for day in (2, 3, 1)]
    dated = parse(rss("".join(item(number, extra=date) for number, date in enumerate(dates))))
    assert [activity.native_id for activity in dated.activities] == ["id-2", "id-0", "id-1"]


def test_a_very_long_feed_is_cut_after_its_first_entries_and_says_so() -> None:
    feed = parse(rss("".join(item(number) for number in range(MOST_ENTRIES + 100))))
    assert len(feed.activities) == MOST_ENTRIES
    assert feed.activities[-1].native_id == "id-0"
    assert feed.note is not None
    assert str(MOST_ENTRIES + 100) in feed.note
    assert "broken" not in feed.note


def test_a_mountain_of_entries_costs_no_more_than_those_that_are_read() -> None:
    began = time.process_time()
    feed = parse(rss(item(1) * 2 + "<item/>" * 500_000))
    assert time.process_time() - began < 5
    assert len(feed.activities) == 1


@pytest.mark.parametrize(
    "monster",
    [
        b"<a>" * 250_000,
        b"<a>" * 250_000 + b"</a>" * 250_000,
        b"<item>" + b"<category>x</category>" * 30_000 + b"</item>",
        b"<a " + b" ".join(b"a%d='1'" % n for n in range(50_000)) + b"/>",
        b"<b>" + b"<a/>" * 250_000 + b"</b>",
        b"& " * 1_000_000,
    ],
    ids=["deep", "deep and closed", "full entry", "attributes", "wide", "broken"],
)
def test_a_monster_is_refused_before_it_costs_anything(monster: bytes) -> None:
    began = time.process_time()
    with pytest.raises(UnreadableError, match=r"normal feed|any feed needs|too long for recovery"):
        parse(rss("MONSTER").replace(b"MONSTER", monster))
    assert time.process_time() - began < 2


def test_a_huge_text_is_cut() -> None:
    activity = only(rss(item(1, "word " * LONGEST_TEXT)))
    assert len(activity.content.text) <= LONGEST_TEXT
    assert activity.raw == b""


def test_entities_neither_grow_nor_fetch() -> None:
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    began = time.process_time()
    body = f'<!DOCTYPE rss [<!ENTITY e0 "ha">{bomb}<!ENTITY f SYSTEM "file:///etc/passwd">]>'.encode()
    activity = only(body + rss(item(1, "a &e9; &f; b")))
    assert "root:" not in activity.content.text
    assert len(activity.content.text) < 1000
    assert time.process_time() - began < 2


def test_the_digest_follows_the_entry_and_nothing_around_it() -> None:
    first = parse(rss(item(2, "b") + item(1, "a"), "<title>T</title><lastBuildDate>Mon</lastBuildDate>"))
    later = parse(
        rss(item(3, "c") + item(2, "b") + item(1, "A!"), "<title>T</title><lastBuildDate>Tue</lastBuildDate>")
    )
    old = {activity.native_id: activity.entry_digest for activity in first.activities}
    new = {activity.native_id: activity.entry_digest for activity in later.activities}
    assert old["id-2"] == new["id-2"]
    assert old["id-1"] != new["id-1"]
    assert len(set(new.values())) == 3


def test_the_digest_follows_what_the_entry_takes_from_its_feed() -> None:
    first, other = only(rss(item(1), "<title>A</title>")), only(rss(item(1), "<title>B</title>"))
    assert first.content.actor != other.content.actor
    assert first.entry_digest != other.entry_digest


def test_a_byte_order_mark_knows_better_than_the_header() -> None:
    body = b"\xef\xbb\xbf" + rss(item(1, "caf\u00e9"))
    assert parse(body, "application/xml; charset=iso-8859-1").activities[0].content.text == "caf\u00e9"


def test_the_header_names_the_charset_that_the_document_does_not() -> None:
    body = rss(item(1, "caf\u00e9")).decode().encode("iso-8859-1")
    assert parse(body, "text/xml; charset=iso-8859-1").activities[0].content.text == "caf\u00e9"


def test_a_film_with_few_words_is_a_video_and_one_with_many_an_article() -> None:
    film = '<enclosure url="https://news.example/a.mp4" type="video/mp4" length="9"/>'
    assert only(rss(item(1, "Short.", film))).content.kind is ActivityKind.VIDEO
    assert only(rss(item(1, "Long. " * 200, film))).content.kind is ActivityKind.ARTICLE


def test_an_enclosure_and_a_media_content_of_one_file_are_one() -> None:
    both = (
        '<enclosure url="https://news.example/a.jpg" type="image/jpeg" length="9"/>'
        '<media:content url="https://news.example/a.jpg" width="4" height="3">'
        "<media:description>Alt</media:description></media:content>"
    )
    (media,) = only(rss(item(1, "x", both), attributes='xmlns:media="http://search.yahoo.com/mrss/"')).content.media
    assert (media.bytes, media.width, media.alt, media.mime) == (9, 4, "Alt", "image/jpeg")


def test_the_first_picture_of_the_text_stands_in_where_nothing_else_is_given() -> None:
    html = "&lt;img src='/a.png' alt='A &amp;amp; B' width='40' height='30'&gt;&lt;img src='/b.png'&gt;"
    (media,) = only(rss(item(1, html))).content.media
    assert (media.type, media.url, media.alt, media.width) == ("image", "https://news.example/a.png", "A & B", 40)


def test_links_are_bounded_and_each_is_told_once() -> None:
    anchors = "".join(f"&lt;a href='/{n % 80}?utm_source=x'&gt;l{n}&lt;/a&gt;" for n in range(200))
    links = only(rss(item(1, anchors))).content.links
    assert len(links) == 50
    assert (links[0].url, links[0].text) == ("https://news.example/0", "l0")


@pytest.mark.parametrize(
    ("author", "name"),
    [
        ("ann@news.example (Ann Lee)", "Ann Lee"),
        ("Ann Lee &lt;ann@news.example&gt;", "Ann Lee"),
        ("Ann Lee", "Ann Lee"),
        ("ann@news.example", "T"),
        ("", "T"),
    ],
)
def test_a_mail_address_is_never_published(author: str, name: str) -> None:
    actor = only(rss(item(1, extra=f"<author>{author}</author>"))).content.actor
    assert actor is not None
    assert (actor.name, actor.native_id) == (name, f"news.example/{name.casefold()}")


def test_media_words_move_only_where_they_belong_and_nothing_else_changes() -> None:
    plain = rss(item(1, "x"))
    assert straightened(plain) is plain
    body = rss(
        item(1, "x", '<media:content url="a.jpg"><media:description>One\n "two"</media:description></media:content>'),
        attributes='xmlns:media="http://search.yahoo.com/mrss/"',
    )
    expected = body.replace(b'<media:description>One\n "two"</media:description>', b"").replace(
        b"<media:content ", b'<media:content alt="One &quot;two&quot;" '
    )
    assert straightened(body) == expected
    assert straightened(body[:-5]) == body[:-5]


@pytest.mark.parametrize(
    ("mime", "medium", "url", "kind"),
    [
        ("image/png", None, "x", "image"),
        (None, "video", "x", "video"),
        ("application/octet-stream", None, "https://e.org/a.MP3?x=1", "audio"),
        ("application/pdf", None, "https://e.org/a.pdf", "file"),
        (None, None, "http://[", "file"),
    ],
)
def test_the_kind_of_an_enclosure(mime: str | None, medium: str | None, url: str, kind: str) -> None:
    assert media_type(mime, medium, url) == kind


def test_lengths_and_sizes_as_feeds_write_them() -> None:
    assert [seconds(text) for text in ("75", "1:15", "01:01:15", "12.5", "0", "soon", None)] == [
        75,
        75,
        3675,
        12.5,
        None,
        None,
        None,
    ]
    assert [whole(text) for text in ("12", "0", "-1", "1.5", "9" * 30, None)] == [12, None, None, None, None, None]


def test_a_page_says_where_its_feeds_are() -> None:
    page = b"""<!doctype html><head><base href="/sub/"><link rel="stylesheet" href="a.css">
    <link rel="alternate" hreflang="de" href="/de">
    <link REL="Alternate" type="application/rss+xml; charset=utf-8" href="rss.xml">
    <link rel="alternate" type="application/feed+json" href="//cdn.example/f.json">
    <link rel="alternate" type="application/atom+xml" href="javascript:1">"""
    found = detect.feed_links(page, "https://news.example/")
    assert found == ["https://news.example/sub/rss.xml", "https://cdn.example/f.json"]


_TAGS = "<rss version='2.0'>|<channel>|</channel>|<item>|</item>|<item/>|<title>|</title>|<entry>|<guid>|<pubDate>"
_MORE = (
    "<feed xmlns='http://www.w3.org/2005/Atom'>|<link href='x'/>|<link>http://[</link>|<category>|<![CDATA[|]]>|<!--"
)
_ODD = "<media:content xmlns:media='http://search.yahoo.com/mrss/' url='a'>|<enclosure url='http://[' length='x'/>|&x;"
_REST = '1 Mar 2026|&amp;|é|\x00|{|}|"version":|<author>a@b</author>|<source url="x">|<image><url>y</url></image>'
SCRAPS = st.sampled_from(f"{_TAGS}|{_MORE}|{_ODD}|{_REST}".split("|"))


@given(st.lists(SCRAPS, max_size=25).map("".join))
def test_any_scraps_are_a_feed_or_unreadable_and_nothing_else(text: str) -> None:
    try:
        feed = parse(text.encode())
    except UnreadableError:
        return
    assert all(activity.native_id and activity.entry_digest for activity in feed.activities)
