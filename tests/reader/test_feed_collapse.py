"""Test that feeds merge stories as the page does, and give all entries with `collapse=none`."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import feedparser
import pytest

from aggregator.domain.activity import ActivityKind, Actor, Link
from aggregator.reader.visibility import PUBLIC
from aggregator.text.urls import web_key
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
BUDGET = "https://gov.example/budget"
BUDGET_KEY = web_key(BUDGET)
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
    assert entry.index("Open Government Partnership") < entry.index("retweeted") < entry.index("Also reposted by")
    assert entry.index("Also reposted by") < entry.index("Ana") < entry.index("Joseph Powell")


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("value", ["none", "no"])
def test_collapse_none_gives_each_repost(store: Store, reader: Reader, feed: str, value: str) -> None:
    reposted(store, OGP, POWELL)
    found = entries(reader, f"/feed.{feed}?collapse={value}")
    assert [entry.count(WORDS) for entry in found] == [1, 1]
    assert not any("Also retweeted" in entry for entry in found)


def test_more_than_three_others_are_counted(store: Store, reader: Reader) -> None:
    people = [replace(ANA, native_id=str(number), name=f"Person {number}") for number in range(6)]
    reposted(store, *people)
    (entry,) = entries(reader, "/feed.json")
    assert "Also reposted by Person 5, Person 4, Person 3 and 2 others." in entry


def test_activitystreams_lists_the_others_as_shares(store: Store, reader: Reader) -> None:
    reposted(store, OGP, POWELL)
    (announce,) = reader.ask("/feed.as2?page=first").json["orderedItems"]
    shares = announce["object"]["shares"]
    assert (announce["type"], announce["actor"]["name"]) == ("Announce", OGP.name)
    assert (shares["totalItems"], [share["actor"]["name"] for share in shares["items"]]) == (1, ["Joseph Powell"])
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
    answer = reader.ask("/feed.rss?collapse=all")
    assert (answer.status, answer.json["code"]) == (400, "bad-request")


def test_the_embed_names_the_others(store: Store) -> None:
    reposted(store, OGP, POWELL)
    with serving(app_of(store, embeddable=frozenset({"x"}))) as reader:
        items = reader.ask("/embed/items").text
        assert items.count(WORDS) == 1
        assert "Also reposted by" in items
    with serving(app_of(store)) as reader:
        assert OGP.name not in reader.ask("/embed/items").text  # without the network's consent


def story(store: Store, *, arriving: bool) -> None:
    """Store an article of two feeds and a post that links to it; or what comes later of them."""
    if not arriving:
        first = [an_activity("a", title="Budget published", url=BUDGET, published=NOON - 9 * MINUTE)]
        ingest_now(store, add_source(store, "ministry"), [replace(first[0], key=BUDGET_KEY)])
        return
    again = an_activity("b", title="Budget published", url=BUDGET, published=NOON - 5 * MINUTE)
    ingest_now(store, add_source(store, "portal"), [replace(again, key=BUDGET_KEY)])
    post = tweet("7", ActivityKind.POST, "Read the budget", "<p>Read the budget</p>", NOON - MINUTE, ANA)
    linked = replace(post, content=replace(post.content, links=(Link(BUDGET),)))
    ingest_now(store, add_source(store, "ana", "twitter"), [linked])


def ids(reader: Reader, path: str) -> list[str]:
    return [item["id"] for item in reader.ask(path).json["items"]]


def test_a_story_is_one_entry_whose_id_stays_when_others_join(store: Store, reader: Reader) -> None:
    story(store, arriving=False)
    before = ids(reader, "/feed.json")
    story(store, arriving=True)

    assert ids(reader, "/feed.json") == before
    (entry,) = entries(reader, "/feed.json")
    assert "More about this" in entry
    assert "Read the budget" in entry
    assert len(ids(reader, "/feed.json?collapse=none")) == 3
    assert len(ids(reader, "/feed.json?collapse=original")) == 3


def test_an_item_that_joins_a_story_of_the_archive_is_no_new_entry(store: Store, reader: Reader) -> None:
    story(store, arriving=False)
    between = [an_activity(f"n{n}", published=NOON - 9 * MINUTE + (n + 1) * MINUTE / 20) for n in range(39)]
    ingest_now(store, add_source(store, "other"), between)
    sure = f"/feed.json?limit={next(n for n in range(1, 40) if len(ids(reader, f'/feed.json?limit={n}')) < 40)}"
    before = ids(reader, sure)
    again = an_activity("b", title="Budget published", url=BUDGET, published=NOON - 5 * MINUTE)
    ingest_now(store, add_source(store, "portal"), [replace(again, key=BUDGET_KEY)])

    assert "Budget published" not in reader.ask(sure).text
    assert set(ids(reader, sure)) <= set(before)


def test_the_api_lists_the_items_of_a_story(store: Store, reader: Reader) -> None:
    story(store, arriving=False)
    story(store, arriving=True)

    (item,) = reader.items()
    assert item["title"] == "Budget published"
    listed = [(other["kind"], other["source"]["slug"]) for other in item["story"]]
    assert listed == [("post", "ana"), ("article", "ministry")]
    assert [alone["story"] for alone in reader.items("?collapse=none")] == [[], [], []]
    assert len(reader.ask(f"/api/v1/activities/{item['id']}").json["story"]) == 2
    assert len(reader.ask("/api/v1/changes?after=0&limit=1000").json["changes"]) >= 3
    page = reader.ask("/").text
    assert (page.count("<article"), page.count("2 more items about this")) == (1, 1)
    assert reader.ask("/?collapse=none").text.count("<article") == 3
    embed = reader.ask("/embed/items").text
    assert (embed.count('<li class="item"'), embed.count("2 more items about this")) == (1, 1)
