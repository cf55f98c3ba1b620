"""Test feeds over real HTTP: every filter, pages, and stable archives."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import feedparser
import pytest

from aggregator.domain.activity import ActivityKind, Occasion, Review
from aggregator.reader.visibility import PUBLIC
from tests.building import NOON, add_source, an_activity, decide, ingest_now
from tests.reader import specimens
from tests.reader.conftest import app_of
from tests.reader.serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage.store import Store
    from tests.reader.serving import Reader

MINUTE = timedelta(minutes=1)
TYPES = {
    "/feed.rss": "application/rss+xml",
    "/feed.atom": "application/atom+xml",
    "/feed.json": "application/feed+json",
    "/feed.as2": "application/activity+json",
}


def many(store: Store, count: int, *, slug: str = "news") -> Any:
    source = add_source(store, slug)
    ingest_now(store, source, [an_activity(f"{slug}{n}", published=NOON - (count - n) * MINUTE) for n in range(count)])
    return source


def path_of(reader: Reader, address: str) -> str:
    return address.removeprefix(reader.address)


def links(feed: Any) -> dict[str, str]:
    return {link["rel"]: link["href"] for link in feed.feed.links}


def archives(reader: Reader, path: str) -> Iterator[tuple[str, Any]]:
    """Follow the archives from the newest to the oldest, the feed itself first."""
    while True:
        feed = feedparser.parse(reader.ask(path).body)
        assert not feed.bozo, feed.bozo_exception
        yield path, feed
        if "prev-archive" not in links(feed):
            return
        path = path_of(reader, links(feed)["prev-archive"])


@pytest.mark.parametrize("path", TYPES)
def test_each_feed_says_what_it_is_and_is_validated_like_all(store: Store, reader: Reader, path: str) -> None:
    specimens.fill(store, "https://pictures.example")
    answer = reader.ask(path)
    assert (answer.status, answer.headers["content-type"]) == (200, TYPES[path])
    assert "Authorization" in answer.headers["vary"]
    assert reader.ask(path, headers={"If-None-Match": answer.headers["etag"]}).status == 304
    assert reader.ask(f"{path}?kind=nothing").json["code"] == "unknown-kind"
    assert reader.ask(f"{path}?cursor=MS4xLjI&archive=MS4xLjI").json["code"] == "bad-request"


@pytest.mark.parametrize("path", ["/feed.rss", "/feed.atom"])
def test_every_filter_has_its_feed(store: Store, reader: Reader, path: str) -> None:
    specimens.fill(store, "https://pictures.example")
    whole = feedparser.parse(reader.ask(path).body)
    events = feedparser.parse(reader.ask(f"{path}?kind=event&lang=en").body)
    assert len(whole.entries) == 8
    assert len(events.entries) == len(reader.items("?kind=event")) == 1
    assert links(events)["self"] == f"{reader.address}{path}?kind=event&lang=en"
    assert events.feed.link == f"{reader.address}/?kind=event&lang=en"


@pytest.mark.parametrize("path", ["/feed.rss?limit=20", "/feed.atom?kind=article&limit=20"])
def test_the_archives_hold_everything_once_and_lead_both_ways(store: Store, reader: Reader, path: str) -> None:
    many(store, 300)
    documents = list(archives(reader, path))
    ids = [entry.id for _, feed in documents for entry in feed.entries]
    assert len(ids) == len(set(ids)) == 300
    assert len(documents[0][1].entries) >= 20
    assert len(documents) > 4
    for (_, newer), (_, older) in pairwise(documents[1:]):
        assert links(older)["next-archive"] == links(newer)["self"]
        assert links(older)["current"] == f"{reader.address}{path}"


def test_archives_stay_what_they_are(store: Store, reader: Reader) -> None:
    source = many(store, 200)
    before = {path: [entry.id for entry in feed.entries] for path, feed in archives(reader, "/feed.atom")}
    hidden = int(reader.items("?limit=100")[99]["id"])

    ingest_now(store, source, [an_activity(f"more{n}", published=NOON + n * MINUTE) for n in range(50)])
    decide(store, [hidden], Review.HIDDEN)

    after = {path: [entry.id for entry in feed.entries] for path, feed in archives(reader, "/feed.atom")}
    kept = {path: ids for path, ids in before.items() if path != "/feed.atom"}
    different = [path for path, ids in kept.items() if path in after and after[path] != ids]
    assert len(different) <= 1  # where one was hidden
    assert len([path for path in kept if path not in after]) <= 1  # if it began one
    for path, ids in kept.items():  # also where none leads there any more
        now = [entry.id for entry in feedparser.parse(reader.ask(path).body).entries]
        assert set(now) >= set(ids) - {f"tag:test.invalid,2026-03-02:activity/{hidden}"}
    everything = [id_ for ids in after.values() for id_ in ids]
    assert len(everything) == len(set(everything)) == 249


def test_a_json_feed_is_read_to_its_end(store: Store, reader: Reader) -> None:
    many(store, 90)
    path: str | None = "/feed.json?limit=40"
    ids: list[str] = []
    while path:
        feed = reader.ask(path).json
        assert feed["version"] == "https://jsonfeed.org/version/1.1"
        ids += [item["id"] for item in feed["items"]]
        path = path_of(reader, feed["next_url"]) if "next_url" in feed else None
    assert len(ids) == len(set(ids)) == 90


def test_a_collection_of_activity_streams_is_read_to_its_end_and_back(store: Store, reader: Reader) -> None:
    many(store, 90)
    collection = reader.ask("/feed.as2?limit=40").json
    assert collection["type"] == "OrderedCollection"
    assert "orderedItems" not in collection
    page = reader.ask(path_of(reader, collection["first"])).json
    ids: list[str] = []
    while True:
        assert (page["type"], page["partOf"]) == ("OrderedCollectionPage", collection["id"])
        ids += [item["id"] for item in page["orderedItems"]]
        if "next" not in page:
            break
        page = reader.ask(path_of(reader, page["next"])).json
    assert len(ids) == len(set(ids)) == 90
    back = reader.ask(path_of(reader, page["prev"])).json
    assert [item["id"] for item in back["orderedItems"]] == ids[
        -len(page["orderedItems"]) - 40 : -len(page["orderedItems"])
    ]


def test_one_activity_and_its_tombstone(store: Store, reader: Reader) -> None:
    specimens.fill(store, "https://pictures.example")
    item = reader.items("?kind=repost")[0]
    found = reader.ask(f"/activities/{item['id']}.as2")
    assert found.headers["content-type"] == "application/activity+json"
    assert (found.json["type"], found.json["object"]["type"]) == ("Announce", "Note")
    decide(store, [int(item["id"])], Review.HIDDEN)
    gone = reader.ask(f"/activities/{item['id']}.as2")
    assert (gone.status, gone.json["type"], gone.json["id"]) == (410, "Tombstone", found.json["id"])
    assert reader.ask("/activities/99999.as2").status == 404


AS2 = {"Accept": 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"'}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def test_every_id_of_activity_streams_can_be_looked_up(sqlite_store: Store) -> None:
    specimens.fill(sqlite_store, "https://pictures.example")
    about_it = {"url": "https://news.example/meeting"}
    event = an_activity("e", kind=ActivityKind.EVENT, event=Occasion(NOON), **about_it)
    ingest_now(sqlite_store, add_source(sqlite_store, "both"), [an_activity("a", **about_it), event])
    with serving(app_of(sqlite_store)) as reader:
        page = reader.ask("/feed.as2?page=first").json
        ids = set(_ids(page))
        assert len(ids) > 3 * len(page["orderedItems"])
        for id_ in sorted(ids):
            answer = reader.ask(path_of(reader, id_.partition("#")[0]), headers=AS2)
            assert answer.status == 200, id_
            assert id_ in set(_ids(answer.json)) if "/?" not in id_ else "<html" in answer.text


def _ids(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (value[name] for name in ("id", "partOf") if name in value)
    for element in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _ids(element)


def test_a_page_and_its_activity_have_one_address(sqlite_store: Store) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity()])
    with serving(app_of(sqlite_store)) as reader:
        for headers, media_type in (
            (AS2, "application/activity+json"),
            (BROWSER, "text/html; charset=utf-8"),
            ({}, "text/html; charset=utf-8"),
        ):
            answer = reader.ask("/activities/1", headers=headers)
            assert answer.headers["content-type"] == media_type
            assert "Accept" in [part.strip() for part in answer.headers["vary"].split(",")]
            again = reader.ask("/activities/1", headers={**headers, "If-None-Match": answer.headers["etag"]})
            assert again.status == 304
        assert reader.ask("/activities/1", headers=AS2).json == reader.ask("/activities/1.as2").json
        decide(sqlite_store, [1], Review.HIDDEN)
        gone = reader.ask("/activities/1", headers=AS2)
        assert (gone.status, gone.json["type"]) == (410, "Tombstone")
        assert reader.ask("/activities/2", headers=AS2).status == 404


FUTURE = NOON.replace(year=2028)


@pytest.mark.parametrize("path", ["/feed.rss", "/feed.atom", "/feed.json", "/feed.as2", "/feed.as2?page=first"])
def test_a_date_in_the_future_moves_nothing(sqlite_store: Store, path: str) -> None:
    source = add_source(sqlite_store)
    ahead = an_activity("ahead", published=FUTURE, updated=FUTURE)
    ingest_now(sqlite_store, source, [an_activity("now"), ahead, an_activity("edited", updated=FUTURE)])
    with serving(app_of(sqlite_store)) as reader:
        content = reader.ask(path).text
    assert "2028" not in content
    assert "2026" in content


def test_the_public_gets_no_words_of_x(store: Store) -> None:
    specimens.fill(store, "https://pictures.example")
    with serving(app_of(store, audience=PUBLIC)) as reader:
        for path in ("/feed.rss", "/feed.atom", "/feed.json", "/feed.as2?page=first"):
            text = reader.ask(path).text
            assert "local researchers" not in text
            assert "OpenGov Hub" not in text
            assert "/status/" in text


def test_a_feed_of_nothing_is_a_feed(empty_reader: Reader) -> None:
    for path in ("/feed.rss", "/feed.atom"):
        feed = feedparser.parse(empty_reader.ask(path).body)
        assert (feed.bozo, feed.entries) == (False, [])
    assert json.loads(empty_reader.ask("/feed.json").body)["items"] == []
    assert empty_reader.ask("/feed.as2?page=first").json.get("orderedItems", []) == []


def test_events_alone_by_when_they_begin(store: Store, reader: Reader) -> None:
    specimens.fill(store, "https://pictures.example")
    kinds = [item["kind"] for item in reader.items("?order=event")]
    assert kinds == [ActivityKind.EVENT.value]


@pytest.mark.parametrize("place", ["1.1." + str(2**63 - 1), "2.1.5", "3.1.5"])
def test_a_place_that_no_archive_has_is_refused(reader: Reader, place: str) -> None:
    cursor = base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")
    assert reader.ask(f"/feed.atom?archive={cursor}").json["code"] == "bad-cursor"
    furthest = base64.urlsafe_b64encode(f"1.1.{2**63 - 2}".encode()).decode().rstrip("=")
    assert reader.ask(f"/feed.atom?archive={furthest}").status == 200
