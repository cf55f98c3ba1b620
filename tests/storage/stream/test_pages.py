"""Test pages and the change feed, on both databases: no item is skipped or repeated during concurrent changes."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import DBAPIError

from aggregator.domain.activity import ActivityKind, Review
from aggregator.domain.errors import StoreUnavailableError
from aggregator.domain.source import SourceState
from aggregator.domain.stream import Query
from tests.building import NOON, add_source, an_activity, decide, ingest_now

if TYPE_CHECKING:
    from aggregator.domain.activity import Activity
    from aggregator.domain.stream import Cursor
    from storage.store import Store

MINUTE = timedelta(minutes=1)


def _read_all(store: Store, limit: int, **filters: frozenset[str] | frozenset[ActivityKind]) -> list[str]:
    seen: list[str] = []
    after: Cursor | None = None
    while True:
        with store.reading() as tx:
            page = tx.stream.activities.page(Query(limit=limit, after=after, **filters))  # type: ignore[arg-type]  # either
        seen += [item.native_id for item in page.items]
        if page.next is None:
            return seen
        after = page.next


def test_pages_follow_each_other_newest_first(store: Store) -> None:
    source = add_source(store)
    minutes = [5, 3, 3, 3, 9, 1, 7]  # three of one moment
    activities = [an_activity(str(n), published=NOON - minute * MINUTE) for n, minute in enumerate(minutes)]
    ingest_now(store, source, activities)
    whole = _read_all(store, 100)
    assert whole == ["5", "3", "2", "1", "0", "6", "4"]
    for limit in (1, 2, 3, 6, 7):
        assert _read_all(store, limit) == whole


def test_what_arrives_while_one_pages_neither_skips_nor_repeats(store: Store) -> None:
    source = add_source(store)
    ingest_now(store, source, [an_activity(str(n), published=NOON - n * MINUTE) for n in range(6)])
    with store.reading() as tx:
        first = tx.stream.activities.page(Query(limit=3))
    ingest_now(store, source, [an_activity("new", published=NOON + MINUTE), an_activity("2", title="Edited")])
    decide(store, [first.items[0].id], Review.HIDDEN)
    with store.reading() as tx:
        second = tx.stream.activities.page(Query(limit=10, after=first.next))
    assert [item.native_id for item in (*first.items, *second.items)] == ["0", "1", "2", "3", "4", "5"]


def test_filters_combine(store: Store) -> None:
    news, blog = add_source(store, "news"), add_source(store, "blog")
    ingest_now(store, news, [an_activity("a"), an_activity("p", kind=ActivityKind.POST)])
    ingest_now(store, blog, [an_activity("b"), an_activity("q", kind=ActivityKind.POST)])
    posts = frozenset({ActivityKind.POST})
    assert set(_read_all(store, 1, kinds=posts)) == {"p", "q"}
    assert set(_read_all(store, 1, sources=frozenset({"blog"}))) == {"b", "q"}
    assert _read_all(store, 1, kinds=posts, sources=frozenset({"news"})) == ["p"]


def test_times_that_cannot_be_do_not_rule_the_order(store: Store) -> None:
    source = add_source(store)
    future, epoch = NOON + timedelta(days=400), NOON.replace(year=1970, month=1, day=1)
    activities = [an_activity("future", published=future), an_activity("epoch", published=epoch)]
    ingest_now(store, source, [*activities, an_activity("none", published=None)], now=NOON)
    ingest_now(store, source, [an_activity("fresh", published=NOON + MINUTE)], now=NOON + 2 * MINUTE)
    assert _read_all(store, 10) == ["fresh", "none", "epoch", "future"]
    with store.reading() as tx:
        stored = {item.native_id: item for item in tx.stream.activities.page(Query()).items}
    assert stored["future"].content.published == future  # the source's date is kept
    assert {stored[name].position for name in ("future", "epoch", "none")} == {NOON}


class Mirror:
    """A client of the change feed; must hold exactly the visible items."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.revision = 0
        self.items: dict[int, Activity] = {}

    def follow(self, limit: int = 3) -> None:
        while True:
            with self.store.reading() as tx:
                changes = tx.stream.activities.changes(self.revision, limit)
            for item in changes.activities:
                self.items[item.id] = item
            for id_, _ in changes.gone:
                self.items.pop(id_, None)
            self.revision = changes.upto
            if not changes.more:
                return

    def matches(self) -> bool:
        with self.store.reading() as tx:
            shown = {item.id: item for item in tx.stream.activities.page(Query(limit=100)).items}
        return shown == self.items


def test_a_mirror_that_follows_the_changes_equals_the_store(store: Store) -> None:
    source, mirror = add_source(store), Mirror(store)
    ingest_now(store, source, [an_activity(str(n)) for n in range(7)])
    mirror.follow()
    assert len(mirror.items) == 7
    assert mirror.matches()
    ingest_now(store, source, [an_activity("3", title="Edited"), an_activity("8")])
    decide(store, [next(iter(mirror.items))], Review.HIDDEN)
    with store.writing() as tx:
        tx.stream.activities.withdraw(source.id, ["web:4"], "gone at the source", NOON)
    assert not mirror.matches()
    mirror.follow()
    assert len(mirror.items) == 6
    assert mirror.matches()


def test_sources_and_actors_are_in_the_changes(store: Store) -> None:
    source = add_source(store)
    ingest_now(store, source, [an_activity("1")])
    with store.writing() as tx:
        before = tx.stream.state.revision()
        tx.polling.sources.set_state(source.id, SourceState.PAUSED, "by hand", NOON)
    with store.reading() as tx:
        everything, since = tx.stream.activities.changes(0, 100), tx.stream.activities.changes(before, 100)
    assert [source.slug for source in everything.sources] == ["news"]
    assert [actor.name for actor, _ in everything.actors] == ["News Desk"]
    assert ([source.state for source in since.sources], since.activities, since.actors) == (
        [SourceState.PAUSED],
        [],
        [],
    )


def test_a_follower_misses_nothing_of_writers_that_commit_out_of_order(store: Store) -> None:
    """Many writers, one follower that never asks for what it believes to have."""
    sources = [add_source(store, f"s{number}") for number in range(4)]
    mirror, done = Mirror(store), threading.Event()

    def write(number: int) -> None:
        for batch in range(8):
            activities = [an_activity(f"{batch}-{n}") for n in range(3)]
            while True:  # four writers of SQLite may keep one of them waiting for longer than it does
                with suppress(StoreUnavailableError):
                    ingest_now(store, sources[number], activities)
                    break

    def follow() -> None:
        while not done.is_set():
            mirror.follow(limit=5)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    follower = threading.Thread(target=follow)
    for thread in (follower, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    follower.join()
    mirror.follow()
    assert len(mirror.items) == 4 * 8 * 3


def test_reading_cannot_write_on_postgresql(postgresql_store: Store) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"), postgresql_store.reading() as tx:
        tx.stream.state.beat(NOON)
