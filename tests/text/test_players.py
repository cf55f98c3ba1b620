"""Test the pages that embedded players lead to."""

from __future__ import annotations

import pytest

from aggregator.text.players import page_of

EMBEDLY = "https://cdn.embedly.com/widgets/media.html?src=https%3A%2F%2Fwww.youtube.com%2Fembed%2Fa1&url={}&schema=x"


@pytest.mark.parametrize(
    ("source", "url", "name"),
    [
        ("//www.youtube.com/v/abc?version=3", "https://www.youtube.com/watch?v=abc", "Video on YouTube"),
        ("https://open.spotify.com/embed/show/4r?si=x", "https://open.spotify.com/show/4r", "Audio on Spotify"),
        ("https://open.spotify.com/embed-podcast/episode/4", "https://open.spotify.com/episode/4", "Audio on Spotify"),
        ("https://odysee.com/$/embed/@a:1/b:2?r=x", "https://odysee.com/@a:1/b:2", "Video on Odysee"),
        ("https://p.example/videos/embed/9c-1?title=0", "https://p.example/videos/watch/9c-1", "Video on p.example"),
        (
            "https://w.soundcloud.com/player/?url=https%3A//soundcloud.com/a/b&auto_play=false",
            "https://soundcloud.com/a/b",
            "Embedded content on soundcloud.com",
        ),
        (
            EMBEDLY.format("https%3A%2F%2Fwww.youtube.com%2Fwatch%3Fv%3Da1"),
            "https://www.youtube.com/watch?v=a1",
            "Embedded content on youtube.com",
        ),
        (EMBEDLY.format("javascript%3Aalert(1)"), "https://www.youtube.com/watch?v=a1", "Video on YouTube"),
        (
            "https://www.facebook.com/plugins/video.php?href=https%3A%2F%2Fwww.facebook.com%2Fa%2Fvideos%2F1",
            "https://www.facebook.com/a/videos/1",
            "Embedded content on facebook.com",
        ),
        ("//player.example/e/1", "https://player.example/e/1", "Embedded content on player.example"),
        ("https://youtube.com.other.example/embed/a", "https://youtube.com.other.example/embed/a", None),
    ],
)
def test_a_player_leads_to_its_page(source: str, url: str, name: str | None) -> None:
    page = page_of(source)
    assert page is not None
    assert page.url == url
    assert name is None or page.name == name


def test_the_publishers_title_names_an_unknown_player() -> None:
    page = page_of("https://player.example/e/1", "  Budget \n hearing ")
    assert page is not None
    assert page.name == "Budget hearing"


@pytest.mark.parametrize(
    "source",
    [
        "", "about:blank", "javascript:alert(1)", "data:text/html,x", "/relative", "https://",
        "https://www.googletagmanager.com/ns.html?id=GTM-1", "https://ad.doubleclick.net/x",
        'https://a.example/" onload="x',
        "https://www.facebook.com/plugins/like.php?href=https%3A%2F%2Fa.example", "https://a.example/" + "x" * 3_000,
        "https://[broken/x", "https://a.example/a b",
    ],
    ids=lambda source: source[:24] or "empty",
)  # fmt: skip
def test_a_frame_without_content_leads_nowhere(source: str) -> None:
    assert page_of(source) is None
