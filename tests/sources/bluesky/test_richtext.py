"""Test texts with facets, whose offsets are in bytes."""

from __future__ import annotations

from typing import Any

import pytest

from aggregator.sources.bluesky.richtext import Markup, render


def facet(text: str, words: str, kind: str, **values: Any) -> dict[str, Any]:
    """Return a facet of the first place of words in a text."""
    start = text.encode().index(words.encode())
    return _at(start, start + len(words.encode()), kind, **values)


def _at(start: Any, end: Any, kind: str = "link", **values: Any) -> dict[str, Any]:
    values = values or {"uri": "https://news.example/"}
    return {
        "index": {"byteStart": start, "byteEnd": end},
        "features": [{"$type": f"app.bsky.richtext.facet#{kind}", **values}],
    }


def test_facets_become_links_although_characters_have_several_bytes() -> None:
    text = "Grüße 🦋 an @bob.example: news.example/a… #Öffnung"
    found = render(
        text,
        [
            facet(text, "#Öffnung", "tag", tag="Öffnung"),
            facet(text, "@bob.example", "mention", did="did:plc:bob"),
            facet(text, "news.example/a…", "link", uri="https://news.example/a/long/path"),
        ],
    )
    assert found.text == "Grüße 🦋 an @bob.example: https://news.example/a/long/path #Öffnung"
    assert found.html == (
        '<p>Grüße 🦋 an <a href="https://bsky.app/profile/did:plc:bob" rel="nofollow noopener">@bob.example</a>: '
        '<a href="https://news.example/a/long/path" rel="nofollow noopener">news.example/a…</a> '
        '<a href="https://bsky.app/hashtag/%C3%96ffnung" rel="nofollow noopener">#Öffnung</a></p>'
    )
    assert found.hashtags == ("Öffnung",)
    [mention] = found.mentions
    assert (mention.handle, mention.native_id) == ("bob.example", "did:plc:bob")
    [link] = found.links
    assert (link.url, link.text) == ("https://news.example/a/long/path", "news.example/a…")


def test_words_that_are_no_shortened_address_stay() -> None:
    for words in ("the minutes", "read more…", "evil.example/a…"):
        assert render(words, [_at(0, len(words.encode()))]).text == words


def test_paragraphs_and_markup_in_the_text() -> None:
    found = render("<b>1</b> & 2\n3\r\n4\n\n\n5 <script>alert(1)</script>", [])
    assert found.text == "<b>1</b> & 2\n3\r\n4\n\n\n5 <script>alert(1)</script>"
    assert found.html == ("<p>&lt;b&gt;1&lt;/b&gt; &amp; 2<br>3<br>4</p><p>5 &lt;script&gt;alert(1)&lt;/script&gt;</p>")


@pytest.mark.parametrize(
    "index",
    [
        (0, 1000),
        (-1, 3),
        (3, 3),
        (4, 2),
        (1, 4),  # begins within a character
        (0, 3),  # ends within a character
        (0.0, 2),
        (True, 2),
        ("0", "2"),
        (None, None),
        (2**70, 2**71),
    ],
)
def test_a_facet_at_an_impossible_place_is_ignored(index: tuple[Any, Any]) -> None:
    found = render("öé and more", [_at(*index), _at(5, 8)])
    assert found.text == "öé and more"
    assert found.html.count("<a ") == 1
    assert ">and</a>" in found.html


def test_of_overlapping_facets_the_first_counts() -> None:
    found = render("one two three", [_at(4, 13), _at(0, 7), _at(0, 3), _at(8, 13)])
    assert found.html.count("<a ") == 2
    assert ">one</a> <a" in found.html
    assert ">two three</a>" in found.html
    assert found.text == "one two three"


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("link", {"uri": "javascript:alert(1)"}),
        ("link", {"uri": None}),
        ("mention", {"did": "bob"}),
        ("mention", {"did": ["did:plc:bob"]}),
        ("tag", {"tag": ""}),
        ("tag", {"tag": {}}),
        ("other", {"uri": "https://news.example/"}),
    ],
)
def test_a_feature_that_leads_nowhere_is_text(kind: str, values: dict[str, Any]) -> None:
    assert render("some text", [_at(0, 4, kind, **values)]) == Markup("some text", "<p>some text</p>")


def test_of_several_features_the_first_that_is_known_counts() -> None:
    known = _at(0, 4)
    known["features"] = [{"$type": "app.example#bold"}, "nonsense", *known["features"]]
    assert len(render("some text", [known]).links) == 1


@pytest.mark.parametrize("facets", [None, 7, "x", {}, [None], [{}], [{"index": []}], [{"index": {}, "features": 3}]])
def test_other_values_are_no_facets(facets: object) -> None:
    assert render("some text", facets) == Markup("some text", "<p>some text</p>")


def test_half_a_character_moves_no_facet() -> None:
    found = render("\ud83e 🦋 link", [_at(9, 13)])
    assert (found.text, found.links[0].text) == ("\ufffd 🦋 link", "link")


def test_a_text_of_links_only_takes_little_time() -> None:
    text = "a" * 10_000
    assert render(text, [_at(n, n + 1) for n in range(10_000)]).text == text
