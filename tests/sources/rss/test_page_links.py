"""Test which feeds a page announces, and in which order they are tried."""

from __future__ import annotations

import time

import pytest

from aggregator.sources.rss import detect
from aggregator.sources.rss.page_links import MOST_LINKS, feed_links_of, joined_header
from tests.variants import mostly_slow

URL = "https://site.example/blog/"


def link(href: str, kind: str | None = "application/rss+xml", more: str = "") -> str:
    return f'<link rel="alternate"{f" type={chr(34)}{kind}{chr(34)}" if kind is not None else ""} href="{href}" {more}>'


@pytest.mark.parametrize(
    "kind",
    [
        "application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/feed+json",
        "application/json", "application/xml", "text/xml", "text/rss+xml", "application/x.atom+xml", "application/rss",
        "Application/RSS+XML; charset=utf-8", " application/atom+xml ", "application/rss&#43;xml", "rss",
    ],
)  # fmt: skip
def test_types_of_feeds_count(kind: str) -> None:
    assert feed_links_of(link("/f", kind), URL) == ["https://site.example/f"]


@pytest.mark.parametrize(
    "tag",
    [
        link("/f", None, 'title="RSS"'),
        link("/f", "", 'title="Our Atom feed"'),
        link("/feed.xml", None),
        link("/f.rss", "application/octet-stream"),
        link("/index.php?format=feed", None),
        "<LINK REL=alternate TYPE=application/rss+xml HREF=/f>",
        "<link rel='Alternate Home' type='application/rss+xml' href='/f'/>",
        '<link rel="feed" href="/f">',
        '<link\n href="/f"\n title="a > b"\n type="application/rss+xml"\n rel="alternate"\n>',
        '<link rel="alternate" type="application/rss+xml" href="feed://site.example/f">',
    ],
)  # fmt: skip
def test_other_ways_to_announce_a_feed_count(tag: str) -> None:
    assert len(feed_links_of(f"<html><body>{tag}", URL)) == 1


@pytest.mark.parametrize(
    "tag",
    [
        '<link rel="alternate" hreflang="de" href="/de/">',
        '<link rel="alternate" media="handheld" href="https://m.site.example/">',
        '<link rel="alternate stylesheet" href="/feed.xml">',
        '<link rel="alternate" type="text/html" title="RSS" href="/about-feeds">',
        '<link rel="alternate" type="application/json+oembed" href="/oembed">',
        '<link rel="alternate" type="text/xml+oembed" href="/oembed">',
        '<link rel="EditURI" type="application/rsd+xml" href="/rsd.xml">',
        '<link rel="alternate" type="application/rss+xml" href="javascript:1">',
        '<link rel="alternate" type="application/rss+xml">',
        '<!-- <link rel="alternate" type="application/rss+xml" href="/old"> -->',
        """<script>document.write('<link rel="alternate" type="application/rss+xml" href="/x">')</script>""",
        '<a href="/news">RSS</a>',
    ],
)
def test_other_links_do_not_count(tag: str) -> None:
    assert feed_links_of(tag, URL) == []


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (link("/f/comments", more='title="Site &raquo; Comments Feed"'), "comments"),
        (link("/comments/feed/"), "path"),
        (link("/x", more='title="Comments for Site"'), "named"),
        (link("/x", more='title="Site : Kommentar-Feed"'), "German"),
        (link("/x", more='title="Site » Flux des commentaires"'), "French"),
        (link("/x", more='title="サイト » コメントフィード"'), "Japanese"),
        (link("/wp-json/wp/v2/pages/2", "application/json", 'title="JSON"'), "API"),
        (link("/?rest_route=/wp/v2/posts", "application/json"), "API without a path"),
    ],
    ids=lambda value: value if " " not in value or len(value) < 20 else "first",
)
def test_comments_and_apis_come_last(first: str, reason: str) -> None:
    """Automattic/wp-calypso 752: a page that announces its comments first."""
    assert feed_links_of(first + link("/posts"), URL)[0] == "https://site.example/posts", reason


def test_feeds_keep_their_order() -> None:
    page = (
        link("/comments/feed") + link("/a", "application/json") + link("/b", "text/xml") + link("/c") + link("/a")
        + link("/wp-json/", "application/json")
    )  # fmt: skip
    paths = ["/a", "/b", "/c", "/comments/feed", "/wp-json/"]
    assert feed_links_of(page, URL) == [f"https://site.example{path}" for path in paths]


def test_a_site_named_after_comments_still_has_posts() -> None:
    page = link("/feed", more='title="No Comments » Feed"') + link("/c", more='title="No Comments » Comments Feed"')
    assert feed_links_of(page, URL) == ["https://site.example/feed", "https://site.example/c"]


def test_a_base_applies_and_links_are_bounded() -> None:
    page = '<base href="https://cdn.example/x/">' + "".join(link(f"{number}.rss") for number in range(100))
    found = feed_links_of(page, URL)
    assert len(found) == MOST_LINKS
    assert found[0] == "https://cdn.example/x/0.rss"


def test_links_in_the_text_count_if_nothing_is_announced() -> None:
    text = '<p><a href="/about">About</a> <a class=x href="/rss.xml"><img alt=RSS></a> <a href="/posts.xml">RSS</a>'
    assert feed_links_of(text, URL) == ["https://site.example/rss.xml", "https://site.example/posts.xml"]
    assert feed_links_of(text + link("/f"), URL) == ["https://site.example/f"]


def test_link_headers_announce_feeds() -> None:
    """RFC 8288: several values in a header, or several headers."""
    headers = [
        ("Link", '</a.css>; rel=preload; as=style, <https://site.example/wp-json/>; rel="https://api.w.org/"'),
        ("Content-Type", "text/html"),
        (
            "link",
            (
                '</rss>; rel="alternate"; type="application/rss+xml"; title="a, b", '
                "</atom>; type=application/atom+xml; rel=alternate"
            ),
        ),
    ]
    assert feed_links_of("", URL, joined_header(headers)) == ["https://site.example/rss", "https://site.example/atom"]
    assert feed_links_of("", URL, "<<>>;;;<x>;rel=alternate,<") == []


def test_a_link_behind_a_megabyte_of_scripts_is_found() -> None:
    page = "<!doctype html><title>T</title><script>" + "x < y;" * 200_000 + "</script>" + link("/f")
    found = detect.page(page.encode(), "text/html", URL)
    assert found is not None
    assert found.feeds == ("https://site.example/f",)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"Welcome! <link rel=alternate type=application/rss+xml href=/f>", "text/html"),
        (b"<center><link rel=alternate type=application/rss+xml href=/f>", "text/html; charset=utf-8"),
        (b'<?xml version="1.0"?><!DOCTYPE html><html><head><link rel="alternate" type="text/xml" href="/f"/>', ""),
    ],
    ids=["text-first", "odd-element", "xhtml"],
)
def test_odd_pages_are_pages(body: bytes, content_type: str) -> None:
    found = detect.page(body, content_type, URL)
    assert found is not None
    assert found.feeds == ("https://site.example/f",)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<rss><channel><link>x</link>", "text/html"),
        (b"<br /><b>Warning</b>: x <?xml version='1.0'?><rss><channel><link>x</link>", "text/html"),
        (b'{"a": "<link>"}', "text/html"),
        (b"hello", "text/plain"),
    ],
    ids=["feed", "warning-first", "json", "text"],
)
def test_other_documents_are_no_pages(body: bytes, content_type: str) -> None:
    assert detect.page(body, content_type, URL) is None


@pytest.mark.parametrize(
    "part",
    mostly_slow(
        [
            "<link ",
            "<a href='",
            "<!--",
            "<script>",
            "<link rel=alternate href=x>",
            "<",
            "<base href=/>",
            '<a b="',
            "=&amp;",
        ],
        quick=3,
    ),
    ids=["link", "quote", "comment", "script", "links", "angle", "base", "open-quote", "entities"],
)
def test_hostile_pages_take_linear_time(part: str) -> None:
    began = time.process_time()
    detect.feed_links((part * (2_000_000 // len(part))).encode(), URL)
    assert time.process_time() - began < 5
