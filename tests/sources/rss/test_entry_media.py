"""Check that an entry's media are each there once, in the best version, by every reader."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

import pytest

from aggregator.sources.rss import feedparser_reader
from aggregator.sources.rss.media_rss import caption_of, is_html
from aggregator.sources.rss.normalise import activity_of, setting_of
from aggregator.sources.rss.parse import normalise
from aggregator.sources.rss.xml_tree import reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from aggregator.domain.activity import Content

    Read = Callable[[str], Content]  # from an item's XML

SITE = "https://a.example/"


@pytest.fixture(params=[reader.read, feedparser_reader.read], ids=["tree", "feedparser"])
def read(request: pytest.FixtureRequest) -> Read:
    """Give a function from an item's XML to its content, by each reader in turn."""

    def content(item: str) -> Content:
        body = (
            '<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"><channel><title>F</title>'
            f"<link>{SITE}</link><item><guid>1</guid><title>T</title>{item}</item></channel></rss>"
        ).encode()
        document = request.param(body, "application/rss+xml")
        (entry,) = document.entries.read([0])
        return activity_of(entry, setting_of(document, f"{SITE}feed")).content

    return content


def picture(address: str, **more: object) -> str:
    attributes = "".join(f' {name}="{value}"' for name, value in more.items())
    return f'<media:content url="{escape(SITE + address)}" medium="image"{attributes}/>'


def film(address: str, **more: object) -> str:
    return picture(address, **more).replace('medium="image"', 'medium="video"')


def text(html: str) -> str:
    return f"<description>{escape(html)}</description>"


def group(*contents: str) -> str:
    return f"<media:group>{''.join(contents)}</media:group>"


def enclosure(address: str, mime: str) -> str:
    return f'<enclosure url="{escape(SITE + address)}" type="{mime}" length="9"/>'


@pytest.mark.parametrize(
    ("item", "urls"),
    [
        (group(film("low.mp4", height=240), film("high.mp4", height=720, isDefault="true")), ["high.mp4"]),
        (group(film("a.mp4", height=2160), film("b.mp4", height=1080), film("c.mp4", height=240)), ["b.mp4"]),
        (group(film("a.flv", height=480), film("b.mp4", height=480, type="video/mp4")), ["b.mp4"]),
        (group(picture("s.jpg", width=150), picture("l.jpg", width=1200), picture("xl.jpg", width=9000)), ["l.jpg"]),
        (group(picture("a.jpg"), film("a.mp4")), ["a.jpg", "a.mp4"]),
        (group(picture("a.jpg"), film("a.mp4", isDefault="true")), ["a.mp4", "a.jpg"]),
        (group(picture("a.jpg")) + group(picture("b.jpg")), ["a.jpg", "b.jpg"]),
        (
            "<media:group>"
            + "".join(
                f'<media:content url="{SITE}{name}.jpg"><media:title>{name}</media:title></media:content>'
                for name in "ab"
            )
            + "</media:group>",
            ["a.jpg", "b.jpg"],
        ),
        (picture("x.jpg?width=140", width=140) + picture("x.jpg?width=460", width=460), ["x.jpg?width=460"]),
        (picture("x-150x150.jpg") + picture("x-1024x768.jpg"), ["x-1024x768.jpg"]),
        (picture("x-150x150.jpg") + picture("x.jpg"), ["x.jpg"]),
        (picture("w_424,c_limit/x.png") + picture("w_848,c_limit/x.png"), ["w_848,c_limit/x.png"]),
        (picture("x.jpg?id=1&w=5") + picture("x.jpg?id=2&w=9"), ["x.jpg?id=1&w=5", "x.jpg?id=2&w=9"]),
        (picture("2024/01/x.jpg") + picture("2024/02/x.jpg"), ["2024/01/x.jpg", "2024/02/x.jpg"]),
        (enclosure("x-300x200.jpg", "image/jpeg") + picture("x.jpg"), ["x.jpg"]),
        (enclosure("a-480p.mp4", "video/mp4") + enclosure("a-1080p.mp4", "video/mp4"), ["a-1080p.mp4"]),
        (enclosure("a.mp3", "audio/mpeg") + enclosure("a.ogg", "audio/ogg"), ["a.mp3", "a.ogg"]),
        ('<media:thumbnail url="https://a.example/x-150x150.jpg"/>' + text("<img src=/x.jpg>"), ["x.jpg"]),
        ('<media:thumbnail url="/s.jpg" width="75"/><media:thumbnail url="/l.jpg" width="640"/>', ["l.jpg"]),
        (picture("spacer.gif") + text("<img src=/x.jpg>"), ["x.jpg"]),
        (picture("p.gif", width=1, height=1), []),
        (
            '<media:content url="https://0.gravatar.com/avatar/1?s=96" medium="image"/>' + text("<img src=/x.jpg>"),
            ["x.jpg"],
        ),
        (text("<img src=/i.png width=16 height=16><img src=/x.jpg>"), ["x.jpg"]),
        (text("<img src=/x.jpg><video src=/v.mp4></video>"), ["x.jpg", "v.mp4"]),
        (text("<video src=/v.mp4></video><img src=/x.jpg>"), ["v.mp4", "x.jpg"]),
        (text("<video src=/v.mp4 poster=/p.jpg></video><img src=/x.jpg>"), ["v.mp4"]),
        (text("<audio src=/a.mp3?_=1></audio>") + enclosure("a.mp3", "audio/mpeg"), ["a.mp3"]),
    ],
)
def test_each_medium_is_there_once_in_its_best_version(read: Read, item: str, urls: list[str]) -> None:
    assert [media.url.removeprefix(SITE) for media in read(item).media] == urls


def test_the_chosen_version_has_the_words_and_still_of_the_others(read: Read) -> None:
    words = (
        f'<media:content url="{SITE}low.mp4" height="240" duration="9"><media:title>Talk</media:title></media:content>'
    )
    (media,) = read(group(words, film("high.mp4", height=720)) + f'<media:thumbnail url="{SITE}t.jpg"/>').media
    assert (media.url, media.alt, media.duration, media.preview) == (f"{SITE}high.mp4", "Talk", 9, f"{SITE}t.jpg")


def test_the_largest_thumbnail_of_a_film_is_its_still(read: Read) -> None:
    stills = '<media:thumbnail url="/s.jpg" width="75"/><media:thumbnail url="/l.jpg" width="640"/>'
    (media,) = read(f'<media:content url="/v.mp4" medium="video">{stills}</media:content>').media
    assert media.preview == f"{SITE}l.jpg"


def test_a_json_feed_has_the_films_of_its_text_too() -> None:
    item = {"id": "1", "content_html": '<p>t</p><video src="/v.mp4" poster="/p.jpg">Old browser</video>'}
    body = json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "T", "items": [item]}).encode()
    (activity,) = normalise(body, "application/feed+json", f"{SITE}feed").activities
    (media,) = activity.content.media
    assert (media.type, media.url, media.mime, media.preview) == ("video", f"{SITE}v.mp4", "video/mp4", f"{SITE}p.jpg")
    assert activity.content.text == "t"


@pytest.mark.parametrize(
    ("words", "kind", "html"),
    [
        ("Use <b> & <5", None, False),
        ("<p>One</p><p>Two</p>", None, True),
        ('<img src="x"> then text', None, False),
        ("<p>One</p>", "plain", False),
        ("<i>One</i>", "html", True),
        ("<i>One</i>", "TEXT/HTML", True),
    ],
)
def test_a_text_of_media_rss_is_plain_unless_it_is_clearly_html(words: str, kind: str | None, html: bool) -> None:
    assert is_html(words, kind) is html


def test_a_caption_is_one_line_of_plain_text(read: Read) -> None:
    assert caption_of("<p>One <b>two</b></p>\n<p>three</p>", None) == "One two three"
    words = "<media:description type='html'>&lt;b&gt;A&lt;/b&gt;\n cat</media:description>"
    (media,) = read(f'<media:content url="/x.jpg" medium="image">{words}</media:content>').media
    assert media.alt == "A cat"


def test_lines_and_characters_of_a_description_stay(read: Read) -> None:
    words = "Agenda:\n* 5 &lt; 6 &amp;amp;\n* &lt;b&gt; stays\n\nEnd"
    content = read(group(film("v.mp4"), f"<media:description>{words}</media:description>"))
    assert content.text.split("\n") == ["Agenda:", "* 5 < 6 &amp;", "* <b> stays", "End"]
