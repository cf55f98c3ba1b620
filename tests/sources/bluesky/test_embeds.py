from __future__ import annotations

from typing import Any

import pytest

from aggregator.sources.bluesky.embeds import embedded

IMAGES = {
    "$type": "app.bsky.embed.images#view",
    "images": [
        {
            "thumb": "https://cdn.example/1s.jpg",
            "fullsize": "https://cdn.example/1.jpg",
            "alt": " A cat ",
            "aspectRatio": {"width": 800, "height": 600},
        },
        {"fullsize": "https://cdn.example/2.jpg", "alt": ""},
        {"fullsize": "javascript:alert(1)"},
        "nonsense",
    ],
}
CARD = {
    "$type": "app.bsky.embed.external#view",
    "external": {
        "uri": "https://news.example/a",
        "title": "A title",
        "description": "Words",
        "thumb": "https://cdn.example/card.jpg",
    },
}
QUOTED = {"$type": "app.bsky.embed.record#viewRecord", "uri": "at://did:plc:bob/app.bsky.feed.post/3k"}


def _quote(record: Any) -> dict[str, Any]:
    return {"$type": "app.bsky.embed.record#view", "record": record}


def test_images_have_alt_text_and_size() -> None:
    first, second = embedded([IMAGES]).media
    assert (first.type, first.url, first.alt) == ("image", "https://cdn.example/1.jpg", "A cat")
    assert (first.width, first.height) == (800, 600)
    assert (second.alt, second.width) == (None, None)


def test_a_gallery_has_images() -> None:
    gallery = {
        "$type": "app.bsky.embed.gallery#view",
        "media": [{"$type": "app.bsky.embed.gallery#viewImage", "fullsize": "https://cdn.example/1.jpg", "alt": "A"}],
    }
    assert [media.alt for media in embedded([gallery]).media] == ["A"]


@pytest.mark.parametrize(("presentation", "kind"), [("default", "video"), ("gif", "animation"), (None, "video")])
def test_a_video_has_a_playlist_and_a_still_image(presentation: str | None, kind: str) -> None:
    [media] = embedded(
        [
            {
                "$type": "app.bsky.embed.video#view",
                "playlist": "https://video.example/1/playlist.m3u8",
                "thumbnail": "https://video.example/1/thumbnail.jpg",
                "alt": "A film",
                "presentation": presentation,
                "aspectRatio": {"width": 16, "height": 9},
            }
        ]
    ).media
    assert (media.type, media.mime, media.alt) == (kind, "application/vnd.apple.mpegurl", "A film")
    assert (media.preview, media.width) == ("https://video.example/1/thumbnail.jpg", 16)


def test_a_link_card() -> None:
    [card] = embedded([CARD]).cards
    assert (card.url, card.title, card.description) == ("https://news.example/a", "A title", "Words")
    assert card.image == "https://cdn.example/card.jpg"


def test_a_quote_with_media_has_both() -> None:
    view = {"$type": "app.bsky.embed.recordWithMedia#view", "record": {"record": QUOTED}, "media": IMAGES}
    found = embedded([view])
    assert (found.quoted, found.quotes, len(found.media)) == (QUOTED, True, 2)


@pytest.mark.parametrize("state", ["viewNotFound", "viewBlocked", "viewDetached"])
def test_a_quoted_post_that_is_not_available_is_not_shown(state: str) -> None:
    found = embedded([_quote({**QUOTED, "$type": f"app.bsky.embed.record#{state}", "value": {"text": "secret"}})])
    assert (found.quoted, found.quotes, found.cards) == (None, True, [])


@pytest.mark.parametrize(
    ("view", "title", "url"),
    [
        (
            {"uri": "at://did:plc:bob/app.bsky.feed.generator/science", "displayName": "Science"},
            "Science",
            "https://bsky.app/profile/did:plc:bob/feed/science",
        ),
        (
            {"uri": "at://did:plc:bob/app.bsky.graph.list/3k", "name": "Friends"},
            "Friends",
            "https://bsky.app/profile/did:plc:bob/lists/3k",
        ),
        (
            {"uri": "at://did:plc:bob/app.bsky.graph.starterpack/3k", "record": {"name": "Start"}},
            "Start",
            "https://bsky.app/starter-pack/did:plc:bob/3k",
        ),
    ],
)
def test_an_embedded_feed_list_or_starter_pack_is_a_card(view: dict[str, Any], title: str, url: str) -> None:
    found = embedded([_quote(view)])
    assert [(card.title, card.url) for card in found.cards] == [(title, url)]
    assert not found.quotes


@pytest.mark.parametrize(
    "view",
    [
        {},
        {"$type": 7},
        {"$type": "app.bsky.embed.poll#view", "options": []},
        {"$type": "app.bsky.embed.images#view", "images": {"fullsize": "https://cdn.example/1.jpg"}},
        {"$type": "app.bsky.embed.video#view", "playlist": None},
        {"$type": "app.bsky.embed.external#view", "external": []},
        {"$type": "app.bsky.embed.record#view", "record": None},
        {"$type": "app.bsky.embed.record#view", "record": {**QUOTED, "uri": "at://did:plc:bob/com.example.thing/3k"}},
        {"$type": "app.bsky.embed.recordWithMedia#view", "record": {"record": []}, "media": 3},
    ],
)
def test_an_unknown_embed_is_left_out(view: dict[str, Any]) -> None:
    found = embedded([view])
    assert (found.media, found.cards, found.quoted, found.quotes) == ([], [], None, False)
