"""Build feeds of activities as the store returns them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aggregator.domain.activity import (
    LATEST,
    Activity,
    ActivityKind,
    Actor,
    Media,
    NewActivity,
    Review,
    SourceRef,
    Upstream,
)
from aggregator.reader.feeds.feed import Feed, newest
from aggregator.reader.visibility import EVERYTHING
from tests.building import NOON, an_activity
from tests.reader.specimens import OGP, every_kind, tweet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.reader.visibility import Audience

AUTHORITY = ("example.org", "2026-11-23")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PICTURES = "https://pictures.example"
SECRET = "Only for those with a token"  # words of posts on X that the public must not get

_TEN_KILOBYTES = "Öffnung ist kein Selbstzweck. " * 350
HOSTILE = {
    "markup": "<b>bold</b> & <script>alert(1)</script> &amp; &lt;i&gt; AT&T",
    "end of CDATA": "before ]]> after ]]&gt; <![CDATA[ x ]]>",
    "control characters": "a\x01b\x08c\x0bd\x0ce\x1ff\x7fg\x85h\u2028i\ufffej\uffffk",
    "half a character": "a\ud800b\udfffc",
    "right to left": "שלום \u202eevil\u202c عليكم السلام",
    "emoji": "👩🏽‍🚀🇨🇱 ✊🏿 \U0001fae8",
    "ten kilobytes": _TEN_KILOBYTES,
    "spaces": "  two\t\tspaces \r\n and a line\rbreak  ",
    "quotes": '"double" \'single\' `tick` <a href="x">y</a>',
    "declarations": '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e "x">]>&e;',
}


def stored_item(
    id_: int,
    new: NewActivity,
    *,
    first_seen: datetime = NOON,
    topics: tuple[str, ...] = ("budget",),
    countries: tuple[str, ...] = ("CL",),
) -> Activity:
    """Return an activity as the store does."""
    return Activity(
        id=id_,
        source=SourceRef("news", "News and Events"),
        native_id=new.native_id,
        key=new.key,
        content=new.content,
        object=new.object,
        object_key=new.object_key,
        first_seen=first_seen,
        position=first_seen,
        revision=id_,
        fingerprint="",
        upstream=Upstream.LIVE,
        review=Review.PUBLISHED,
        review_by="policy",
        review_reason="",
        visible=True,
        topics=topics,
        countries=countries,
    )


def an_item(id_: int = 1, **content: Any) -> Activity:
    """Return an article; `content` are fields of `Content`."""
    return stored_item(id_, an_activity(str(id_), **content))


def a_post(id_: int = 1, text: str = SECRET, **content: Any) -> Activity:
    """Return a post on X."""
    activities = tweet(str(id_), ActivityKind.POST, text, f"<p>{text}</p>" if text else "", NOON, OGP)
    return stored_item(id_, replace(activities, content=replace(activities.content, **content)))


def specimens() -> list[Activity]:
    """Return one item of every kind, and some with all optional fields."""
    messages, news = every_kind(PICTURES)
    return [stored_item(id_, new) for id_, new in enumerate([*messages, *news, *_full()], 1)]


def hostile() -> list[Activity]:
    """Return items in which every text is hostile, as `ingest` would never store them."""
    return [
        stored_item(
            100 + number,
            an_activity(
                str(number),
                title=text[:200],
                text=text,
                html="<p>" + text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") + "</p>",
                actor=Actor("web", text[:100], text[:100], url="https://people.example/1"),
                hashtags=(text[:50],),
                media=(Media("image", f"{PICTURES}/{number}.png", text[:300]),),
            ),
            topics=(text[:50],),
        )
        for number, text in enumerate(HOSTILE.values())
    ]


def a_feed(items: Sequence[Activity], audience: Audience = EVERYTHING, **changes: Any) -> Feed:
    """Return a feed; `changes` are fields of `Feed`."""
    here = "https://example.org/feed.x"
    fields: dict[str, Any] = {
        "title": "Activity Stream",
        "description": "Posts, news & events",
        "home": "https://example.org/?kind=post",
        "self_url": f"{here}?kind=post&cursor=b",
        "first": f"{here}?kind=post",
        "first_page": f"{here}?kind=post&page=first",
        "next": f"{here}?kind=post&cursor=c",
        "prev": f"{here}?kind=post&cursor=a",
        "prev_archive": None,
        "next_archive": None,
        "archive": False,
        "whole": False,
        "updated": newest(items, audience, LATEST, LONG_AGO),
        "items": items,
        "authority": AUTHORITY,
        "audience": audience,
        "base": "https://example.org",
        "now": LATEST,
        "language": "en",
        **changes,
    }
    return Feed(**fields)


def _full() -> list[NewActivity]:
    return [
        an_activity(
            "film",
            kind=ActivityKind.VIDEO,
            title=None,
            text="",
            html="",
            media=(
                Media("image", f"{PICTURES}/still.webp", "A still", width=640, height=360),
                Media(
                    "video",
                    f"{PICTURES}/film?format=mp4",
                    "A film",
                    bytes=123456,
                    duration=61.5,
                    preview=f"{PICTURES}/film.jpg",
                ),
                Media("audio", f"{PICTURES}/sound.mp3", mime="Audio/MPEG; rate=44100", duration=3),
                Media("file", f"{PICTURES}/plan", "The plan"),
                Media("image", "javascript:alert(1)"),
            ),
        ),
        an_activity(
            "edited",
            title="Edited, cut & sensitive",
            complete=False,
            sensitive=True,
            updated=NOON.replace(hour=15),
            lang="pt-BR",
            hashtags=("Öffnung", "öffnung", "C++"),
            media=(Media("image", f"{PICTURES}/shock.jpg", "Not for everybody"),),
        ),
        an_activity("bare", title=None, text="", html="", actor=None, lang=None, url=None, published=None),
    ]
