"""Test that of some networks only ids are stored and read, even if a source delivers more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.activity import ActivityKind, Actor, Link, Media, NewActivity, Original, Poll
from aggregator.domain.polling.results import FetchResult, UnreadEntry
from aggregator.domain.search_query import Search
from aggregator.domain.stream import Query
from aggregator.services.content_reduction import reduce_content
from aggregator.services.store_result import store_archive
from storage.store import Store
from storage.tables.metadata import metadata
from tests.building import NOON, add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from aggregator.domain.source import Source

WORDS = "zanzibar"  # in everything that must not be stored
DESK = Actor("x", "7", f"Desk {WORDS}", "desk", "https://x.com/desk", f"https://pictures.example/{WORDS}.jpg")
OTHER = Actor("x", "8", f"Other {WORDS}", f"other_{WORDS}", f"https://x.com/other_{WORDS}")
NETWORKS = {"x": "twitter"}


def a_post(native_id: str, words: str = WORDS, kind: ActivityKind = ActivityKind.POST, **more: Any) -> NewActivity:
    content = {
        "kind": kind,
        "network": "x",
        "url": f"https://x.com/desk/status/{native_id}",
        "actor": DESK,
        "title": words,
        "text": words,
        "html": f"<p>{words}</p>",
        "lang": "sw",
        "published": NOON - timedelta(hours=1),
        "hashtags": (words,),
        "links": (Link(f"https://{words}.example/"),),
        "media": (Media("image", f"https://pictures.example/{words}", alt=words),),
        "poll": Poll((words,)),
    }
    activity = an_activity(native_id, **{**content, **more})
    return replace(activity, key=f"x:{native_id}", raw=words.encode(), thread=f"x:{native_id}@7")


def a_repost(native_id: str, original: NewActivity) -> NewActivity:
    content = replace(original.content, actor=OTHER)
    return replace(
        a_post(native_id, kind=ActivityKind.REPOST),
        object=Original(original.key, original.native_id, content),
        object_key=original.key,
    )


@pytest.fixture
def reduced(store: Store) -> Store:
    """Give the same database as a process with the setting has it."""
    return Store(store.engine, ids_only=frozenset(NETWORKS))


def account(store: Store) -> Source:
    return add_source(store, "desk", kind="twitter", address="@desk", options={"user_id": "7"})


def dump(store: Store) -> str:
    """Return everything that the database contains, as text."""
    found = []
    with store.engine.connect() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(table.select()):
                found += [bytes(value).hex() if isinstance(value, bytes) else str(value) for value in row]
    return "\n".join(found)


def has_words(store: Store) -> bool:
    with store.reading() as tx:
        raw = [tx.stream.activities.raw(number) for number in range(1, 20)]
    return WORDS in dump(store) or any(raw)


def items(store: Store) -> dict[str, Any]:
    with store.reading() as tx:
        return {item.native_id: item for item in tx.stream.activities.page(Query(stitch=False)).items}


def test_only_ids_are_stored(reduced: Store) -> None:
    source = account(reduced)
    ingest_now(reduced, source, [a_post("1"), a_repost("3", a_post("2"))])
    assert not has_words(reduced)
    found = items(reduced)
    post = found["1"].content
    assert (post.kind, post.url, post.published) == ("post", "https://x.com/desk/status/1", NOON - timedelta(hours=1))
    assert (post.actor.handle, post.actor.name, post.actor.avatar) == ("desk", "@desk", None)
    assert (found["3"].content.kind, found["3"].object, found["3"].object_key) == ("repost", None, "x:2")
    assert found["1"].thread is None


def test_an_edit_keeps_no_version(reduced: Store) -> None:
    source = account(reduced)
    ingest_now(reduced, source, [a_post("1")])
    edited = a_post("1", f"{WORDS} again", url="https://x.com/desk/status/5", edited=True)
    ingest_now(reduced, source, [replace(edited, entry_digest="other")], now=NOON + timedelta(minutes=1))
    assert not has_words(reduced)
    assert items(reduced)["1"].content.url == "https://x.com/desk/status/5"


def test_other_words_are_no_change(reduced: Store) -> None:
    source = account(reduced)
    ingest_now(reduced, source, [a_post("1")])
    again = ingest_now(reduced, source, [replace(a_post("1", f"{WORDS} again"), entry_digest="other")])
    assert (again.new, again.changed, again.unchanged) == (0, 0, 1)


def test_an_archive_page_is_reduced_as_well(reduced: Store) -> None:
    source = account(reduced)
    store_archive(reduced, source, FetchResult([a_post("1")]), NOON)
    assert not has_words(reduced)
    assert list(items(reduced)) == ["1"]


def test_what_can_not_be_read_is_not_kept(reduced: Store) -> None:
    source = account(reduced)
    with reduced.writing() as tx:
        tx.stream.unread.keep(source.id, [UnreadEntry("9", "x:9", "odd", WORDS.encode())], "1", NOON)
        assert tx.stream.unread.counts() == {}


def test_other_networks_keep_their_content(reduced: Store) -> None:
    source = add_source(reduced)
    ingest_now(reduced, source, [an_activity("1", text=WORDS)])
    assert has_words(reduced)
    assert reduce_content(reduced, NETWORKS) == 0
    assert items(reduced)["1"].content.text == WORDS


def test_stored_content_is_neither_shown_nor_kept_after_the_switch(store: Store, reduced: Store) -> None:
    source = account(store)
    ingest_now(store, source, [a_post("1"), a_repost("3", a_post("2"))])
    edited = a_post("1", f"{WORDS} again", url="https://x.com/desk/status/5", edited=True)
    ingest_now(store, source, [replace(edited, entry_digest="other")], now=NOON + timedelta(minutes=1))
    with store.writing() as tx:
        tx.stream.unread.keep(source.id, [UnreadEntry("9", "x:9", "odd", WORDS.encode())], "1", NOON)
    assert has_words(store)
    assert WORDS not in str(items(reduced))  # at once, before anything is removed
    with reduced.reading() as tx:
        assert tx.stream.reduction.count() == 2
        before = tx.stream.state.revision()
    assert reduce_content(reduced, NETWORKS) == 2
    assert not has_words(store)
    with reduced.reading() as tx:
        assert tx.stream.reduction.count() == 0
        changed = tx.stream.activities.changes(before, 100).activities
        assert sorted(item.native_id for item in changed) == ["1", "3"]  # mirrors and caches learn of it
        assert tx.stream.activities.page(Query(search=Search.parse(WORDS))).items == []
        assert tx.stream.unread.of_other_versions("2", 10) == []
        assert tx.stream.actors.known("x", ["7", "8"]) == {
            "7": Actor("x", "7", "@desk", "desk", "https://x.com/desk"),
            "8": Actor("x", "8", "8"),
        }
        revision = tx.stream.state.revision()
    assert reduce_content(reduced, NETWORKS) == 0
    with reduced.reading() as tx:
        assert tx.stream.state.revision() == revision
    again = ingest_now(reduced, source, [edited, a_repost("3", a_post("2"))])
    assert (again.new, again.changed) == (0, 0)
    assert not has_words(store)


def test_decisions_of_people_stay(store: Store, reduced: Store) -> None:
    source = account(store)
    ingest_now(store, source, [a_post("1")])
    with store.writing() as tx:
        tx.moderation.decisions.write(1, None, "Our headline", "Our note", who="ana", now=NOON)
    reduce_content(reduced, NETWORKS)
    item = items(reduced)["1"]
    assert (item.headline, item.note) == ("Our headline", "Our note")
