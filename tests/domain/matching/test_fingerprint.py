"""Test fingerprints: edits change them, noise does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from aggregator.domain.activity import (
    ActivityKind,
    Actor,
    Content,
    Link,
    Media,
    Original,
)
from aggregator.domain.matching.fingerprint import fingerprint

CONTENT = Content(
    kind=ActivityKind.ARTICLE,
    network="web",
    url="https://example.org/a",
    actor=Actor("web", "example.org/ann", "Ann"),
    title="A title",
    text="Words.",
    html="<p>Words.</p>",
    published=datetime(2026, 3, 1, tzinfo=UTC),
    media=(Media("image", "https://example.org/a.png"),),
)


@pytest.mark.parametrize(
    "changed",
    [
        replace(CONTENT, title="Another title"),
        replace(CONTENT, title=None),
        replace(CONTENT, text="Words!"),
        replace(CONTENT, actor=Actor("web", "example.org/bob", "Ann")),
        replace(CONTENT, actor=None),
        replace(CONTENT, media=(Media("image", "https://example.org/a.png", alt="a cat"),)),
        replace(CONTENT, media=()),
        replace(CONTENT, links=(Link("https://example.org/"),)),
        replace(CONTENT, published=datetime(2026, 3, 2, tzinfo=UTC)),
        replace(CONTENT, updated=datetime(2026, 3, 2, tzinfo=UTC)),
        replace(CONTENT, complete=False),
        replace(CONTENT, kind=ActivityKind.VIDEO),
    ],
)
def test_a_fingerprint_changes_with_what_people_see(changed: Content) -> None:
    assert fingerprint(changed, None) != fingerprint(CONTENT, None)


def test_a_new_name_of_its_actor_does_not_change_what_was_said() -> None:
    renamed = replace(CONTENT, actor=Actor("web", "example.org/ann", "Anne", avatar="https://example.org/anne.png"))
    assert fingerprint(renamed, None) == fingerprint(CONTENT, None)


def test_a_fingerprint_is_the_same_for_the_same_and_knows_the_object() -> None:
    assert fingerprint(replace(CONTENT), None) == fingerprint(CONTENT, None)
    original = Original("web:1", "1", CONTENT)
    with_object = fingerprint(CONTENT, original)
    assert with_object != fingerprint(CONTENT, None)
    assert with_object == fingerprint(CONTENT, replace(original, native_id="2"))
    assert with_object != fingerprint(CONTENT, replace(original, content=replace(CONTENT, text="Other.")))


def test_a_fingerprint_stays_the_same_over_versions() -> None:
    plain = Content(kind=ActivityKind.POST, network="x", text="Hello")
    assert fingerprint(plain, None) == "2:d3e6f616213bc001a2b0e98720ded01087d2adb304a4f0dfb3bebd83773293d8"


SAID = replace(
    CONTENT,
    title="A title",
    text="Some words. 12 comments",
    html='<p title="x" lang="en">Some words.</p> <a href="https://example.org/1">12 comments</a>'
    '<img src="https://c.example/a.png?v=1">',
    media=(Media("image", "https://c.example/a.png?cache=1"),),
    links=(Link("https://example.org/1", "12 comments"),),
)


@pytest.mark.parametrize(
    "same",
    [
        replace(SAID, title="A  title ", text="Some words.\n12 comments"),
        replace(SAID, text="Some words. 1,305 comments"),
        replace(SAID, html=SAID.html.replace("12 comments", "13 comments")),
        replace(SAID, links=(Link("https://example.org/1", "13 comments"),)),
        replace(SAID, html=SAID.html.replace('title="x" lang="en"', 'lang="en" title="x"')),
        replace(SAID, html=SAID.html.replace("v=1", "v=2"), media=(Media("image", "https://c.example/a.png?cache=2"),)),
        replace(SAID, html=SAID.html.replace("example.org/1", "example.org/1?utm_source=rss")),
    ],
    ids=["white space", "counter", "in HTML", "in a link", "order of attributes", "cache buster", "tracking"],
)
def test_noise_is_no_edit(same: Content) -> None:
    assert fingerprint(same, None) == fingerprint(SAID, None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("12 comments", "0 comments"),
        ("1 comment", "1 Comment"),
        ("Comments (12)", "Comments (13)"),
        ("Comments: 9", "Comments: 1.204"),
        ("1,234 views", "1.3k views"),
        ("Points: 5", "Points: 61"),
        ("5 Kommentare", "6 Kommentare"),
        ("Kommentare [5]", "Kommentare [6]"),
        ("3 comentarios", "14 comentarios"),
        ("1\u00a0024 vues", "1\u00a0025 vues"),
    ],
)
def test_a_counter_is_no_edit(before: str, after: str) -> None:
    first, two = (fingerprint(replace(CONTENT, text=f"Some words. {counter}"), None) for counter in (before, after))
    assert first == two


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("12 comments", "12 cats"),
        ("12 cats", "13 cats"),
        ("He bought 500 shares.", "He bought 5,000 shares."),
        ("It passed by 51 votes to 49.", "It passed by 52 votes to 48."),
        ("They won by 5 points.", "They won by 7 points."),
        ("Three died (12 hurt).", "Three died (13 hurt)."),
        ("At 10:30", "At 10:45"),
    ],
)
def test_a_number_that_is_the_news_is_an_edit(before: str, after: str) -> None:
    first, two = (fingerprint(replace(CONTENT, text=f"Some words. {number}"), None) for number in (before, after))
    assert first != two


@pytest.mark.parametrize(
    "edited",
    [
        replace(SAID, text="Other words. 12 comments"),
        replace(SAID, html=SAID.html.replace("a.png", "b.png")),
        replace(SAID, html=SAID.html.replace("<p", "<h2").replace("</p", "</h2")),
        replace(SAID, media=(Media("image", "https://c.example/b.png"),)),
        replace(SAID, links=(Link("https://example.org/2", "12 comments"),)),
        replace(SAID, links=(Link("https://example.org/1", "All comments"),)),
    ],
)
def test_an_edit_is_none_of_that_noise(edited: Content) -> None:
    assert fingerprint(edited, None) != fingerprint(SAID, None)
