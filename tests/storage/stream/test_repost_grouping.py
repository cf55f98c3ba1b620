"""Compare pages of grouped reposts with grouping the whole stream, on both databases, at any page size."""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from aggregator.domain.activity import ActivityKind, Review
from aggregator.domain.stream import Query
from tests.building import NOON, add_source, an_activity, decide, ingest_now
from tests.reader.specimens import OGP, about, tweet
from tests.variants import mostly_slow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.domain.activity import Activity, NewActivity
    from aggregator.domain.stream import Cursor
    from storage.store import Store

MINUTE = timedelta(minutes=1)
REACH = 40


def post(number: int, ago: float, **more: Any) -> NewActivity:
    return tweet(str(number), ActivityKind.POST, f"Post {number}", "", NOON - ago * MINUTE, OGP, **more)


def passed_on(number: int, ago: float, original: NewActivity, how: ActivityKind, **more: Any) -> NewActivity:
    return about(tweet(str(number), how, f"Post {number}", "", NOON - ago * MINUTE, OGP, **more), original)


def repost(number: int, ago: float, original: NewActivity, **more: Any) -> NewActivity:
    return passed_on(number, ago, original, ActivityKind.REPOST, **more)


def a_busy_stream(store: Store, seed: int) -> None:
    """Store posts, and reposts of a few originals; some share a moment, some are withheld in Germany."""
    chance = random.Random(seed)
    originals = [post(900 + number, 9000) for number in range(9)]
    activities = []
    for number in range(200):
        ago = float(200 - number - chance.choice((0, 0, 0, 1)))
        more: dict[str, Any] = {"withheld": ("DE", "FR")} if chance.random() < 0.3 else {}
        of = chance.choice(originals) if chance.random() < 0.5 else None
        activities.append(repost(number, ago, of, **more) if of else post(number, ago, **more))
    ingest_now(store, add_source(store, "ogp", "twitter"), activities)


def read_all(store: Store, limit: int, **query: Any) -> list[Activity]:
    found: list[Activity] = []
    after: Cursor | None = None
    while True:
        with store.reading() as tx:
            page = tx.stream.activities.page(Query(limit=limit, after=after, **query))
        assert len(page.items) == limit or page.next is None
        found += page.items
        if page.next is None:
            return found
        after = page.next


def plainly_stitched(whole: list[Activity]) -> list[int]:
    subjects = [item.object_key if item.content.kind is ActivityKind.REPOST else item.key for item in whole]
    return [
        item.id for place, item in enumerate(whole) if subjects[place] not in subjects[max(place - REACH, 0) : place]
    ]


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        sent.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    yield sent
    event.remove(store.engine, "before_cursor_execute", note)


@pytest.mark.parametrize("limit", mostly_slow([7, 1, 100], quick=1))
def test_pages_of_any_size_show_what_the_whole_stream_would(store: Store, limit: int) -> None:
    a_busy_stream(store, seed=limit)
    whole = read_all(store, 100, stitch=False)
    assert len(whole) == 200
    assert [item.id for item in read_all(store, limit)] == plainly_stitched(whole)


@pytest.mark.one_database
@pytest.mark.parametrize("limit", [1, 7, 100])
def test_what_a_filter_leaves_out_does_not_count_as_between(store: Store, limit: int) -> None:
    a_busy_stream(store, seed=limit)
    germany = frozenset({"DE"})
    left = [item for item in read_all(store, 100, stitch=False) if "DE" not in item.content.withheld]
    assert read_all(store, limit, stitch=False, not_withheld_in=germany) == left
    assert [item.id for item in read_all(store, limit, not_withheld_in=germany)] == plainly_stitched(left)


def test_a_quote_is_left_out_where_what_it_shows_is_withheld(store: Store) -> None:
    source = add_source(store)
    withheld = post(1, 60, withheld=("DE",))
    ingest_now(store, source, [passed_on(5, 1, withheld, ActivityKind.QUOTE), an_activity("news")])
    assert [item.native_id for item in read_all(store, 20, not_withheld_in=frozenset({"DE"}))] == ["news"]
    assert len(read_all(store, 20, not_withheld_in=frozenset({"FR"}))) == 2


def test_a_repost_that_two_sources_brought_is_not_named_beside_itself(store: Store) -> None:
    activity = repost(5, 1, post(1, 60))
    for slug in ("account", "search"):
        ingest_now(store, add_source(store, slug, "twitter"), [activity])
    with store.reading() as tx:
        page = tx.stream.activities.page(Query())
    assert [item.native_id for item in page.items] == ["5"]
    assert not any(page.others.values())


def test_entries_of_a_feed_that_share_a_link_stay_apart(store: Store) -> None:
    activities = [replace(an_activity(f"n{number}"), key="web:page") for number in range(3)]
    ingest_now(store, add_source(store), activities)
    assert [item.native_id for item in read_all(store, 2)] == ["n2", "n1", "n0"]


def test_a_page_takes_few_statements_at_any_depth(store: Store) -> None:
    a_busy_stream(store, seed=3)
    with store.reading() as tx:
        first = tx.stream.activities.page(Query(limit=20))
    for known in (False, True):
        with statements(store) as sent, store.reading() as tx:
            tx.stream.activities.page(Query(limit=20, after=first.next))
        # The revision, what stands before and on the page, and the activities that are shown. On PostgreSQL,
        # one more statement finds those that changed since they were cached.
        more = 1 if store.engine.dialect.name == "postgresql" and not known else 0
        assert len([statement for statement in sent if statement.startswith("SELECT")]) == 3 + more


def test_a_run_of_one_original_is_not_read_to_its_end(sqlite_store: Store) -> None:
    original = post(1, 99_999)
    run = [repost(10 + number, number, original) for number in range(1500)]
    ingest_now(sqlite_store, add_source(sqlite_store), [*run, post(9, 90_000)])
    with statements(sqlite_store) as sent, sqlite_store.reading() as tx:
        first = tx.stream.activities.page(Query(limit=20))
        second = tx.stream.activities.page(Query(limit=20, after=first.next))
    assert [item.native_id for item in (*first.items, *second.items)] == ["10", "9"]
    assert (first.next is None, second.next) == (False, None)
    assert len(first.others[first.items[0].id]) == REACH
    assert len(sent) < 20


@pytest.mark.one_database
@pytest.mark.parametrize("limit", mostly_slow([7, 1, 100], quick=1))
def test_the_way_back_shows_the_same(store: Store, limit: int) -> None:
    a_busy_stream(store, seed=limit)
    onward = read_all(store, limit)
    with store.reading() as tx:
        page = tx.stream.activities.page(Query(limit=limit))
        while page.next is not None:
            page = tx.stream.activities.page(Query(limit=limit, after=page.next))
        back = list(page.items)
        while page.prev is not None:
            page = tx.stream.activities.page(Query(limit=limit, after=page.prev))
            assert len(page.items) <= limit
            back = [*page.items, *back]
    assert [item.id for item in back] == [item.id for item in onward]


def test_what_changes_on_the_way_back_neither_skips_nor_repeats(store: Store) -> None:
    a_busy_stream(store, seed=11)
    whole = read_all(store, 100)
    with store.reading() as tx:
        first = tx.stream.activities.page(Query(limit=10))
        second = tx.stream.activities.page(Query(limit=10, after=first.next))
        third = tx.stream.activities.page(Query(limit=10, after=second.next))
    hidden = {first.items[9].id, second.items[4].id, third.items[0].id}
    decide(store, sorted(hidden), Review.HIDDEN)
    ingest_now(store, add_source(store, "late", "twitter"), [post(5000, 0)])
    with store.reading() as tx:
        middle = tx.stream.activities.page(Query(limit=100, after=third.prev))
    expected = [item.id for item in whole if item.id not in hidden and item.position >= second.items[-1].position]
    seen = [item.id for item in middle.items]
    assert set(seen) >= set(expected) - {item.id for item in third.items}
    assert len(seen) == len(set(seen))
    assert not hidden & set(seen)
