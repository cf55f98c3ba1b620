"""Test the media of an entry: attachments, renditions, pictures of the text, and plain texts of Media RSS."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import pytest

from aggregator.sources.rss import feedparser_reader
from aggregator.sources.rss.normalise import activity_of, setting_of
from aggregator.sources.rss.xml_tree import reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from aggregator.domain.activity import Content, Media

    Read = Callable[..., Content]  # from an item's XML, and its title

NAMESPACE = 'xmlns:media="http://search.yahoo.com/mrss/"'
PDF = '<enclosure url="https://a.example/r.pdf" type="application/pdf" length="9"/>'
SOUND = '<enclosure url="https://a.example/a.mp3" type="audio/mpeg" length="9"/>'
FILM = '<enclosure url="https://a.example/v.mp4" type="video/mp4" length="9"/>'
THUMBNAIL = '<media:thumbnail url="https://a.example/t.jpg"/>'
PICTURE = f"<description>{escape('<p>t</p><img src=/b.jpg>')}</description>"


@pytest.fixture(params=[reader.read, feedparser_reader.read], ids=["tree", "feedparser"])
def read(request: pytest.FixtureRequest) -> Read:
    """Give a function from an item's XML to its content, by each reader in turn."""

    def content(item: str, title: str = "<title>T</title>") -> Content:
        body = (
            f'<rss version="2.0" {NAMESPACE}><channel><title>F</title><link>https://a.example/</link>'
            f'<item><guid isPermaLink="false">1</guid>{title}{item}</item></channel></rss>'
        ).encode()
        document = request.param(body, "application/rss+xml")
        (entry,) = document.entries.read([0])
        return activity_of(entry, setting_of(document, "https://a.example/feed")).content

    return content


def _urls(media: tuple[Media, ...]) -> list[str]:
    return [item.url.removeprefix("https://a.example/") for item in media]


@pytest.mark.parametrize(
    ("item", "urls", "previews"),
    [
        (PDF + THUMBNAIL, ["r.pdf", "t.jpg"], [None, None]),
        (PDF + PICTURE, ["r.pdf", "b.jpg"], [None, None]),
        (SOUND + THUMBNAIL, ["a.mp3"], ["t.jpg"]),
        (SOUND + PICTURE, ["a.mp3", "b.jpg"], [None, None]),
        (FILM + THUMBNAIL, ["v.mp4"], ["t.jpg"]),
        (FILM + PICTURE, ["v.mp4", "b.jpg"], [None, None]),
        (THUMBNAIL, ["t.jpg"], [None]),
        (PICTURE, ["b.jpg"], [None]),
        (THUMBNAIL + PICTURE, ["t.jpg"], [None]),
        (f"<description>{escape('<img src=/i.png width=16><img src=/b.jpg>')}</description>", ["b.jpg"], [None]),
        (f"<description>{escape('<img src=https://s.w.org/images/core/emoji/1/a.png>')}</description>", [], []),
        (f"<description>{escape('<video src=/v.mp4 poster=/p.jpg></video>')}</description>", ["v.mp4"], ["p.jpg"]),
    ],
    ids=["pdf+thumbnail", "pdf+picture", "sound+thumbnail", "sound+picture", "film+thumbnail", "film+picture",
         "thumbnail", "picture", "thumbnail+picture", "icon", "emoji", "film in the text"],
)  # fmt: skip
def test_a_picture_stays_beside_other_files(read: Read, item: str, urls: list[str], previews: list[str | None]) -> None:
    media = read(item).media
    assert _urls(media) == urls
    assert [item.preview and item.preview.removeprefix("https://a.example/") for item in media] == previews


@pytest.mark.parametrize(
    ("addresses", "kept"),
    [
        (["x.jpg?width=140", "x.jpg?width=460"], ["x.jpg?width=460"]),
        (["x-150x150.jpg", "x-1024x768.jpg"], ["x-1024x768.jpg"]),
        (["x.jpg?w=140&v=1", "x.jpg?w=460&v=2"], ["x.jpg?w=140&v=1", "x.jpg?w=460&v=2"]),
        (["x.jpg", "y.jpg"], ["x.jpg", "y.jpg"]),
    ],
    ids=["query", "name", "versions", "different"],
)
def test_one_picture_in_several_sizes_is_one(read: Read, addresses: list[str], kept: list[str]) -> None:
    contents = "".join(
        f'<media:content medium="image" width="{width}" url="https://a.example/{escape(address)}"/>'
        for width, address in zip((140, 460), addresses, strict=True)
    )
    assert _urls(read(contents).media) == kept


@pytest.mark.parametrize(
    ("element", "html"),
    [
        ("<media:description>a\nb\n\nc</media:description>", "<p>a<br>b</p><p>c</p>"),
        (
            "<media:description>Use &lt;b&gt; &amp;amp; &lt;5</media:description>",
            "<p>Use &lt;b&gt; &amp;amp; &lt;5</p>",
        ),
        ('<media:description type="plain">a &lt;i&gt;</media:description>', "<p>a &lt;i&gt;</p>"),
        ('<media:description type="html">a &lt;i&gt;b&lt;/i&gt;</media:description>', "a <i>b</i>"),
        ("<media:group><media:description>a\nb</media:description></media:group>", "<p>a<br>b</p>"),
    ],
    ids=["lines", "markup", "plain", "html", "group"],
)
def test_a_description_of_media_is_plain_unless_it_says_otherwise(read: Read, element: str, html: str) -> None:
    assert read(element).html == html


def test_a_title_of_media_is_plain(read: Read) -> None:
    assert read("<media:title>a &lt;b&gt;</media:title>", title="").title == "a <b>"


def test_the_default_of_a_group_comes_first() -> None:
    body = (
        f'<rss version="2.0" {NAMESPACE}><channel><title>F</title><item><title>T</title><media:group>'
        '<media:content url="https://a.example/low.mp4" type="video/mp4"/>'
        '<media:content url="https://a.example/high.mp4" type="video/mp4" isDefault="true"/>'
        "</media:group></item></channel></rss>"
    ).encode()
    document = reader.read(body, "")
    assert document is not None
    (entry,) = document.entries.read([0])
    assert entry.media[0].url == "https://a.example/high.mp4"
