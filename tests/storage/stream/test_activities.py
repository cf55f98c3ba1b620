"""Test storing activities, on both databases: once, in place, with versions, and removed for good."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text

from aggregator.domain.activity import (
    ActivityKind,
    Actor,
    Content,
    Media,
    Original,
    Review,
    Upstream,
)
from aggregator.domain.source import Policy
from aggregator.domain.stream import Query
from storage.tables.stream import activity as table
from tests.building import NOON, add_source, an_activity, decide, ingest_now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from storage.store import Store

LATER = NOON + timedelta(hours=1)


def _physical(store: Store) -> Mapping[str, str]:
    """Where each row version physically is: PostgreSQL writes a new one for each update, however equal."""
    column = "xmin::text || ':' || ctid::text" if store.engine.dialect.name == "postgresql" else "rowid"
    with store.engine.connect() as connection:
        rows = connection.execute(text(f"SELECT native_id, {column} AS place, revision, fingerprint FROM activity"))
        return {row.native_id: f"{row.place} {row.revision} {row.fingerprint}" for row in rows}


def test_everything_that_a_source_said_comes_back(store: Store) -> None:
    source = add_source(store)
    original = Original(
        "x:7", "7", Content(ActivityKind.POST, "x", actor=Actor("x", "9", "Ana", "ana"), text="Hello", published=NOON)
    )
    activity = replace(
        an_activity("1", kind=ActivityKind.REPOST, media=(Media("image", "https://a.example/1.png", alt="A cat"),)),
        object=original,
        object_key="x:7",
    )
    ingest_now(store, source, [activity])
    with store.reading() as tx:
        [stored] = tx.stream.activities.page(Query()).items
        assert stored.content == activity.content
        assert stored.object == original
        assert stored.object_key == "x:7"
        assert (stored.source.slug, stored.native_id, stored.key) == ("news", "1", "web:1")
        assert (stored.first_seen, stored.position) == (NOON, NOON)
        assert (stored.visible, stored.review, stored.review_by) == (True, Review.PUBLISHED, "policy")
        assert tx.stream.activities.raw(stored.id) == b"{}"


def test_the_same_again_writes_nothing(store: Store) -> None:
    source = add_source(store)
    activities = [an_activity(str(number)) for number in range(40)]
    assert ingest_now(store, source, activities).new == 40
    before, revision = _physical(store), _revision(store)
    again = ingest_now(store, source, activities, now=LATER)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 40)
    assert _physical(store) == before
    assert _revision(store) == revision


def test_an_edit_changes_its_one_row_and_raises_its_revision(store: Store) -> None:
    source = add_source(store)
    ingest_now(store, source, [an_activity("1"), an_activity("2")])
    before = _physical(store)
    edited = an_activity("1", title="A better title")
    stored = ingest_now(store, source, [edited, an_activity("2")], now=LATER)
    assert (stored.new, stored.changed, stored.unchanged) == (0, 1, 1)
    after = _physical(store)
    assert after["1"] != before["1"]
    assert after["2"] == before["2"]
    with store.reading() as tx:
        newer, older = sorted(tx.stream.activities.page(Query()).items, key=lambda item: -item.revision)
        assert (newer.native_id, newer.content.title) == ("1", "A better title")
        assert newer.revision > older.revision
        assert (newer.first_seen, newer.position) == (NOON, NOON)  # an edit does not move it
        [version] = tx.stream.versions.of(newer.id)
        assert (version["title"], version["replaced"]) == ("Title 1", LATER)


def test_our_own_better_rendering_is_no_edit(store: Store) -> None:
    source = add_source(store)
    ingest_now(store, source, [an_activity("1", digest="same")])
    stored = ingest_now(store, source, [an_activity("1", digest="same", text="Rendered better.")])
    assert stored.changed == 1
    with store.reading() as tx:
        [item] = tx.stream.activities.page(Query()).items
        assert item.content.text == "Rendered better."
        assert tx.stream.versions.of(item.id) == []


def test_a_raw_change_that_nobody_sees_keeps_the_revision_and_is_remembered(store: Store) -> None:
    source = add_source(store)
    ingest_now(store, source, [an_activity("1", digest="one")])
    revision = _revision(store)
    assert ingest_now(store, source, [an_activity("1", digest="two")]).unchanged == 1
    assert _revision(store) == revision
    before = _physical(store)
    assert ingest_now(store, source, [an_activity("1", digest="two")]).unchanged == 1
    assert _physical(store) == before


def test_an_entry_repeated_in_one_document_is_one_row(store: Store) -> None:
    source = add_source(store)
    stored = ingest_now(store, source, [an_activity("1", title="First"), an_activity("1", title="Last")])
    assert stored.new == 1
    with store.reading() as tx:
        assert [item.content.title for item in tx.stream.activities.page(Query()).items] == ["Last"]


def test_a_new_name_of_an_actor_shows_on_everything_without_touching_it(store: Store) -> None:
    source = add_source(store)
    first = an_activity("1", actor=Actor("web", "desk", "Old name"))
    ingest_now(store, source, [first])
    before = _physical(store)
    ingest_now(store, source, [first, an_activity("2", actor=Actor("web", "desk", "New name"))])
    assert _physical(store)["1"] == before["1"]
    with store.reading() as tx:
        names = {item.content.actor.name for item in tx.stream.activities.page(Query()).items if item.content.actor}
        assert names == {"New name"}


@pytest.mark.parametrize("everything", [True, False])
def test_gone_is_gone_for_good(store: Store, everything: bool) -> None:
    source = add_source(store)
    activity = an_activity("1", digest="one")
    ingest_now(store, source, [activity])
    with store.writing() as tx:
        if everything:
            assert tx.stream.activities.withdraw_all(source.id, "asked for", LATER) == 1
        else:
            assert tx.stream.activities.withdraw(source.id, ["web:1"], "asked for", LATER) == 1
            assert tx.stream.activities.withdraw(source.id, ["web:1"], "again", LATER) == 0
    edited = an_activity("1", title="Back again?", digest="two")
    assert ingest_now(store, source, [activity]).new == 0
    assert ingest_now(store, source, [edited]).changed == 0
    with store.engine.connect() as connection:
        row = connection.execute(select(table)).one()
    assert (row.title, row.text, row.html, row.detail, row.search_text, row.url, row.actor_id) == (None,) * 7
    assert (row.visible, row.upstream, row.gone_reason) == (False, Upstream.GONE, "asked for")
    assert (row.native_id, row.key, row.entry_digest) == ("1", "web:1", "one")
    with store.reading() as tx:
        assert tx.stream.activities.page(Query()).items == []
        assert tx.stream.activities.raw(row.id) is None
    assert decide(store, [row.id], Review.PUBLISHED) == set()


def test_held_items_are_not_shown_until_somebody_approves(store: Store) -> None:
    source = add_source(store, policy=Policy.HOLD)
    ingest_now(store, source, [an_activity("1"), an_activity("2")])
    with store.reading() as tx:
        assert tx.stream.activities.page(Query()).items == []
        waiting = tx.stream.activities.in_review(Review.WAITING, 10)
    assert [item.native_id for item in waiting] == ["1", "2"]
    assert decide(store, [waiting[0].id], Review.PUBLISHED, now=LATER) == {waiting[0].id}
    with store.reading() as tx:
        [shown] = tx.stream.activities.page(Query()).items
    assert (shown.native_id, shown.review_by, shown.reviewed) == ("1", "person", LATER)
    assert shown.revision > waiting[1].revision


def test_a_decision_at_a_time_comes_with_the_time(store: Store) -> None:
    source = add_source(store, policy=Policy.HOLD)
    ingest_now(store, source, [an_activity("1")])
    with store.writing() as tx:
        [waiting] = tx.stream.activities.in_review(Review.WAITING, 10)
        tx.moderation.reviews.decide_at([waiting.id], Review.PUBLISHED, by="person", reason="embargo", due=LATER)
    for moment, expected in ((NOON, 0), (LATER, 1), (LATER, 0)):
        with store.writing() as tx:
            assert tx.moderation.reviews.apply_due(moment) == expected
    with store.reading() as tx:
        assert [item.review_reason for item in tx.stream.activities.page(Query()).items] == ["embargo"]


def test_hostile_text_is_stored_without_what_databases_refuse(store: Store) -> None:
    source = add_source(store)
    ingest_now(store, source, [an_activity("1\x00", title="a\x00b\ud800c", text="\udfff")])
    ingest_now(store, source, [an_activity("y" * 6000)])
    with store.reading() as tx:
        stored = {item.native_id: item for item in tx.stream.activities.page(Query()).items}
    assert stored["1"].content.title == "abc"
    assert sum(native_id.startswith("sha256:") for native_id in stored) == 1


def _revision(store: Store) -> int:
    with store.reading() as tx:
        return tx.stream.state.revision()
