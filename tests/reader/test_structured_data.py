"""Test the description of items in schema.org's vocabulary, against an excerpt of that vocabulary."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.activity import (
    Activity,
    ActivityKind,
    Actor,
    Content,
    Media,
    Occasion,
    Original,
    Review,
    SourceRef,
    Upstream,
)
from aggregator.domain.organizations import Organization, Organizations
from aggregator.reader.structured_data import embedded_json, structured_data
from tests.building import NOON, an_activity

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = "https://stream.example/activities/7"
# Types with their own and inherited properties, and the types of values; from the definitions of schema-dts 2.1.
VOCABULARY: Mapping[str, Mapping[str, list[str]]] = json.loads(
    Path(__file__).with_name("schema_org.json").read_text(encoding="utf-8")
)


def item(content: Content, original: Original | None = None) -> Activity:
    return Activity(
        id=7,
        source=SourceRef("news", "News"),
        native_id="7",
        key="web:7",
        content=content,
        object=original,
        object_key=None,
        first_seen=NOON,
        position=NOON,
        revision=1,
        fingerprint="",
        upstream=Upstream.LIVE,
        review=Review.PUBLISHED,
        review_by="policy",
        review_reason="",
        visible=True,
    )


def content(**changes: Any) -> Content:
    return replace(an_activity("7").content, **changes)


def described(content: Content, original: Original | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        embedded_json(
            structured_data(item(content, original), PAGE, lambda media: f"https://stream.example/{media.url}")
        )
    )
    return found


def check(value: Any, where: str = "") -> None:
    """Check a node: its type, its properties and the types of their values are those of the vocabulary."""
    properties = VOCABULARY[value["@type"]]
    for name, found in value.items():
        if name.startswith("@"):
            continue
        assert name in properties, f"{where}{value['@type']} has no property {name}"
        for part in found if isinstance(found, list) else [found]:
            if isinstance(part, dict):
                assert part["@type"] in properties[name], f"{name} is no {part['@type']}"
                check(part, f"{where}{name}.")
            else:
                assert isinstance(part, str)
                assert {"Text", "URL", "Date", "DateTime", "Duration"} & set(properties[name]), name


POST = content(kind=ActivityKind.POST, title=None, actor=Actor("web", "1", "Ada", "ada", "https://social.example/ada"))
QUOTED = Original("web:8", "8", replace(POST, text="Quoted words"))
MEETING = Occasion(NOON, NOON + timedelta(hours=2), place="Town hall", online="https://meet.example/1")
KINDS: dict[str, tuple[str, Content, Original | None]] = {
    "article": ("NewsArticle", content(media=(Media("image", "1.jpg"),), hashtags=("open", "data")), None),
    "bare": ("NewsArticle", Content(ActivityKind.ARTICLE, "web"), None),
    "post": ("SocialMediaPosting", POST, None),
    "quote": ("SocialMediaPosting", replace(POST, kind=ActivityKind.QUOTE), QUOTED),
    "repost": ("SocialMediaPosting", replace(POST, kind=ActivityKind.REPOST), replace(QUOTED, object=QUOTED)),
    "event": ("Event", content(kind=ActivityKind.EVENT, event=MEETING), None),
    "undated": ("NewsArticle", content(kind=ActivityKind.EVENT), None),
    "video": (
        "VideoObject",
        content(
            kind=ActivityKind.VIDEO,
            media=(
                Media(
                    "video", "https://v.example/1.mp4", mime="video/mp4", duration=75, preview="https://v.example/1.jpg"
                ),
            ),
        ),
        None,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_follows_the_vocabulary(kind: str) -> None:
    type_, content_, original = KINDS[kind]
    found = described(content_, original)
    assert found["@context"] == "https://schema.org"
    assert found["@type"] == type_
    assert found["mainEntityOfPage"] == PAGE
    check(found)


@pytest.mark.parametrize(
    ("changes", "slug", "author"),
    [
        ({"actor": Actor("web", "news.example/ada", "Ada Lovelace")}, "news", ("Person", "Ada Lovelace")),
        ({"actor": Actor("web", "news.example/news", "NEWS")}, "news", ("Organization", "NEWS")),
        ({"actor": Actor("mastodon", "1", "Desk", "desk@s.example")}, "news", ("Organization", "Desk")),
        ({"actor": None}, "desk", ("Organization", "News")),
        ({"actor": Actor("x", "1", "News", "news"), "kind": ActivityKind.POST}, "news", ("Person", "News")),
    ],
    ids=["named", "publication", "declared", "own", "account"],
)
def test_authors_are_persons_or_organizations(changes: dict[str, Any], slug: str, author: tuple[str, str]) -> None:
    organizations = Organizations({"mastodon:desk@s.example": Organization("desk", timedelta(hours=1))})
    shown = replace(item(content(**changes)), source=SourceRef(slug, "News"))
    found = structured_data(shown, PAGE, lambda _: None, organizations)
    assert (found["author"]["@type"], found["author"]["name"]) == author
    check(found)


def test_an_author_is_absent_if_the_source_names_none() -> None:
    assert "author" not in described(content(actor=None))


def test_a_repost_leaves_the_words_to_the_original() -> None:
    found = described(*KINDS["repost"][1:])
    assert "articleBody" not in found
    assert found["sharedContent"]["articleBody"] == "Quoted words"
    assert found["sharedContent"]["sharedContent"]["articleBody"] == "Quoted words"


def test_an_event_has_its_places_and_state() -> None:
    found = described(KINDS["event"][1])
    assert [place["@type"] for place in found["location"]] == ["Place", "VirtualLocation"]
    assert found["eventAttendanceMode"] == "https://schema.org/MixedEventAttendanceMode"
    cancelled = described(content(kind=ActivityKind.EVENT, event=replace(MEETING, cancelled=True, online=None)))
    assert cancelled["eventStatus"] == "https://schema.org/EventCancelled"
    assert cancelled["location"] == {"@type": "Place", "name": "Town hall"}


def test_an_all_day_event_ends_on_its_last_day() -> None:
    midnight = NOON.replace(hour=0)
    days = Occasion(midnight, midnight + timedelta(days=2), all_day=True)
    found = described(content(kind=ActivityKind.EVENT, event=days))
    assert (found["startDate"], found["endDate"]) == ("2026-03-02", "2026-03-03")


def test_a_video_has_duration_file_and_picture() -> None:
    found = described(KINDS["video"][1])
    assert (found["duration"], found["contentUrl"]) == ("PT0H1M15S", "https://v.example/1.mp4")
    assert found["thumbnailUrl"] == "https://stream.example/https://v.example/1.mp4"


def test_no_text_ends_the_script_element() -> None:
    hostile = "</script><!--<script>&\u2028\u2029"
    text = embedded_json(structured_data(item(content(title=hostile, text=hostile)), PAGE, lambda _: None))
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text)["headline"] == "</script><!--<script>&"  # line separators are spaces


def test_addresses_that_are_no_web_addresses_are_left_out() -> None:
    found = described(content(url="javascript:alert(1)", actor=Actor("web", "1", "Ada", url="data:,x")))
    assert found["url"] == PAGE
    assert "url" not in found["author"]
