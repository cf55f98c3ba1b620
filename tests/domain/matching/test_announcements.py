"""Test which posts of an organization are the same announcement."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.activity import ActivityKind, Actor, Content, Link, Mention
from aggregator.domain.matching.announcements import Announcement, Member, announcement_of, stories_of
from aggregator.domain.organization_file import parse_organizations
from tests.building import NOON

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE = timedelta(minutes=1)
WORDS = "The consultation on clean air begins on 3 May"
ORGANIZATIONS = parse_organizations(
    """
    [organizations.council]
    accounts = ["x:council", "bluesky:council.example", "mastodon:council@social.example"]
    [organizations.museum]
    accounts = ["x:museum", "bluesky:museum.example", "mastodon:thehouse@social.example"]
    """
)
AUTHORS = {"x": "council", "bluesky": "council.example", "mastodon": "council@social.example"}
ANNOUNCEMENT = Announcement("announcement:a", 30 * MINUTE)


def key(text: str, network: str = "x", **more: Any) -> str | None:
    actor = more.pop("actor", Actor(network, "1", "Council", AUTHORS[network]))
    content = Content(**{"kind": ActivityKind.POST, "network": network, "actor": actor, "text": text, **more})
    found = announcement_of(content, ORGANIZATIONS)
    return found.key if found else None


@pytest.mark.parametrize(
    ("text", "network", "more"),
    [
        (WORDS, "bluesky", {}),
        (f"{WORDS}\n", "mastodon", {}),
        (WORDS.upper(), "mastodon", {}),
        (f"{WORDS}: https://council.example/air?x=1", "mastodon", {}),
        (
            f"{WORDS} council.example/air…",
            "x",
            {"links": (Link("https://council.example/air", "council.example/air…"),)},
        ),
        (f"{WORDS} 👇", "bluesky", {}),
        (WORDS.replace(" ", "\u00a0"), "bluesky", {}),
        (WORDS.replace("clean", "#clean"), "x", {}),
    ],
    ids=["plain", "line", "case", "address", "shown-address", "hand", "spaces", "hashtag"],
)
def test_the_same_words_are_the_same_announcement(text: str, network: str, more: Mapping[str, Any]) -> None:
    assert key(text, network, **more) == key(WORDS)


@pytest.mark.parametrize(
    "text",
    [
        WORDS.replace("3", "4"),
        WORDS.replace("begins", "ends"),
        f"{WORDS} #Cancelled",
        f"{WORDS}, 2 pm",
        f"Not {WORDS}",
        WORDS.replace("clean air", "clean-air"),
    ],
    ids=["day", "verb", "hashtag", "hour", "not", "hyphen"],
)
def test_other_words_are_another_announcement(text: str) -> None:
    assert key(text) not in {None, key(WORDS)}


def test_mentions_are_the_same_by_their_organization_or_their_own_part() -> None:
    assert key(f"{WORDS} with @ada_b") == key(f"{WORDS} with @ada_b.bsky.social", "bluesky")
    assert key(f"{WORDS} with @ada") != key(f"{WORDS} with @bob")
    house = (Mention("thehouse@social.example"),)
    assert key(f"{WORDS} at @museum", mentions=(Mention("museum"),)) == key(
        f"{WORDS} at @thehouse", "mastodon", mentions=house
    )


def test_only_posts_of_declared_accounts_announce() -> None:
    assert key(WORDS, actor=None) is None
    assert key(WORDS, actor=Actor("x", "2", "Council", "council2")) is None
    assert key("Good morning!") is None
    for kind in (ActivityKind.REPLY, ActivityKind.QUOTE, ActivityKind.REPOST):
        assert key(WORDS, kind=kind) is None
    assert key(WORDS, actor=Actor("x", "3", "Museum", "museum")) not in {None, key(WORDS)}


def member(name: str, network: str, minute: int, page: str | None = None) -> Member:
    return Member(name, network, NOON + minute * MINUTE, page or name)


def test_the_stories_are_the_same_in_every_order() -> None:
    members = [
        member("x1", "x", 0),
        member("b1", "bluesky", 10),
        member("m1", "mastodon", 20),
        member("x2", "x", 25),
        member("b2", "bluesky", 31),
        member("m2", "mastodon", 200),
    ]
    expected = stories_of(ANNOUNCEMENT, members)
    groups = [{name for name in expected if expected[name] == story} for story in dict.fromkeys(expected.values())]
    assert sorted(map(sorted, groups)) == [["b1", "m1", "x1"], ["b2", "x2"], ["m2"]]
    assert expected["m2"] == "m2"
    orders = random.Random(4).sample(list(permutations(members)), 60)
    assert all(stories_of(ANNOUNCEMENT, order) == expected for order in orders)


def test_a_page_is_the_story_and_two_pages_are_two() -> None:
    found = stories_of(
        ANNOUNCEMENT,
        [member("x", "x", 0), member("b", "bluesky", 1, "web:a"), member("m", "mastodon", 2, "web:b")],
    )
    assert found == {"x": "web:a", "b": "web:a", "m": "web:b"}


def test_the_same_post_of_two_sources_counts_once() -> None:
    found = stories_of(ANNOUNCEMENT, [member("x", "x", 0), member("x", "x", 0)])
    assert found == {"x": "x"}


def test_hostile_texts_cost_little() -> None:
    for text in ("@" * 100_000, "#a" * 100_000, "@a." * 50_000, "https://" * 20_000, " \ud800" * 50_000 + WORDS):
        key(text)
