"""Test that feeds merge reposts of the same original as the page does, and give all with `collapse=no`."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import feedparser
import pytest

from aggregator.domain.activity import ActivityKind, Actor
from aggregator.reader.visibility import PUBLIC
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving
from tests.reader.specimens import HUB, OGP, POWELL, about, tweet
from tests.reader.test_feed_endpoints import MINUTE

if TYPE_CHECKING:
    from aggregator.domain.activity import NewActivity
    from storage.store import Store
    from tests.reader.serving import Reader

ANA = Actor("x", "2003", "Ana", "ana", "https://x.com/ana")
WORDS = "Matching words of the plan"
FEEDS = ["rss", "atom", "json"]


def repost(number: int, actor: Actor, original: NewActivity) -> NewActivity:
    made = tweet(str(number), ActivityKind.REPOST, "", "", NOON - (100 - number) * MINUTE, actor)
    return about(made, original)


def reposted(store: Store, *actors: Actor) -> None:
    """Store an original of an account that is not followed, reposted by these people, oldest first."""
    original = tweet("1", ActivityKind.POST, WORDS, f"<p>{WORDS}</p>", NOON - 200 * MINUTE, HUB)
    for place, actor in enumerate(actors):
        source = add_source(store, f"source-{place}", "twitter")
        ingest_now(store, source, [repost(10 + place, actor, original)])


def entries(reader: Reader, path: str) -> list[str]:
    """Return the plain content of each entry, newest first."""
    body = reader.ask(path).body
    if ".json" in path:
        return [item["content_text"] for item in json.loads(body)["items"]]
    return [html.unescape(entry.content[0].value) for entry in feedparser.parse(body, sanitize_html=False).entries]


@pytest.mark.parametrize("feed", FEEDS)
def test_an_original_appears_once_with_all_who_reposted_it(store: Store, reader: Reader, feed: str) -> None:
    reposted(store, OGP, POWELL, ANA)
    (entry,) = entries(reader, f"/feed.{feed}")
    assert entry.count(WORDS) == 1
    assert entry.index("Ana") < entry.index("retweeted") < entry.index("Also retweeted by")
    assert entry.index("Also retweeted by") < entry.index("Joseph Powell") < entry.index("Open Government Partnership")


@pytest.mark.parametrize("feed", FEEDS)
def test_collapse_no_gives_each_repost(store: Store, reader: Reader, feed: str) -> None:
    reposted(store, OGP, POWELL)
    found = entries(reader, f"/feed.{feed}?collapse=no")
    assert [entry.count(WORDS) for entry in found] == [1, 1]
    assert not any("Also retweeted" in entry for entry in found)


def test_more_than_three_others_are_counted(store: Store, reader: Reader) -> None:
    people = [replace(ANA, native_id=str(number), name=f"Person {number}") for number in range(6)]
    reposted(store, *people)
    (entry,) = entries(reader, "/feed.json")
    assert "Also retweeted by Person 4, Person 3, Person 2 and 2 others." in entry


def test_activitystreams_lists_the_others_as_shares(store: Store, reader: Reader) -> None:
    reposted(store, OGP, POWELL)
    (announce,) = reader.ask("/feed.as2?page=first").json["orderedItems"]
    shares = announce["object"]["shares"]
    assert (announce["type"], announce["actor"]["name"]) == ("Announce", "Joseph Powell")
    assert (shares["totalItems"], [share["actor"]["name"] for share in shares["items"]]) == (1, [OGP.name])
    assert len(reader.ask("/feed.as2?page=first&collapse=no").json["orderedItems"]) == 2


def test_the_public_feed_merges_without_names(store: Store) -> None:
    reposted(store, OGP, POWELL, ANA)
    with serving(app_of(store, audience=PUBLIC)) as reader:
        (entry,) = entries(reader, "/feed.json")
        assert entry == "Repost on X"


def test_pages_merge_across_their_boundaries_and_lose_nothing(store: Store, reader: Reader) -> None:
    reposted(store, OGP, POWELL)
    news = [an_activity(f"n{number}", published=NOON - (300 + number) * MINUTE) for number in range(30)]
    ingest_now(store, add_source(store), news[::-1])
    path: str | None = "/feed.json?limit=5"
    urls: list[str] = []
    while path:
        feed = reader.ask(path).json
        urls += [item["external_url"] for item in feed["items"]]
        path = feed["next_url"].removeprefix(reader.address) if "next_url" in feed else None
    assert len(urls) == len(set(urls)) == 31
    assert sum("/status/" in url for url in urls) == 1


def test_another_value_is_refused(reader: Reader) -> None:
    answer = reader.ask("/feed.rss?collapse=story")
    assert (answer.status, answer.json["code"]) == (400, "bad-request")


def test_the_embed_names_the_others(store: Store) -> None:
    reposted(store, OGP, POWELL)
    with serving(app_of(store, embeddable=frozenset({"x"}))) as reader:
        items = reader.ask("/embed/items").text
        assert items.count(WORDS) == 1
        assert "Also retweeted by" in items
    with serving(app_of(store)) as reader:
        assert OGP.name not in reader.ask("/embed/items").text  # without the network's consent
