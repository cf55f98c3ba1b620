"""Test entries with changed ids, bursts of old entries, and servers that disagree, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.activity import Review
from aggregator.domain.polling.backfill_detection import quarantined
from aggregator.domain.stream import Query
from aggregator.services.screen_entries import screened
from tests.building import NOON, add_source, an_activity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.source import Source
    from storage.store import Store
    from storage.stream.activities import Stored

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def _entry(number: int, *, site: str = "http://old.example", name: str = "", text: str = "") -> NewActivity:
    url = f"{site}/posts/{number}"
    return an_activity(
        name or url,
        url=url,
        title=f"Entry {number}",
        text=text or f"What entry number {number} has to say is long enough to be told from others.",
        html="",
        published=NOON - number * DAY,
    )


def _store(
    store: Store, source: Source, activities: Sequence[NewActivity], *, now: datetime = NOON, **how: object
) -> Stored:
    with store.writing() as tx:
        screening = [screened(activity, source.policy, now) for activity in activities]
        return tx.stream.activities.store(source.id, screening, now, **{"recognising": True, **how})  # type: ignore[arg-type]  # any of its arguments


@pytest.mark.parametrize(
    "moved",
    [
        lambda n: _entry(n, site="https://old.example"),
        lambda n: _entry(n, site="https://new.example"),
        lambda n: _entry(n, name=f"urn:uuid:{n}"),
        lambda n: _entry(n, site="https://new.example", name=f"urn:uuid:{n}"),
        lambda n: _entry(n, site=f"https://new.example/2026/{n}", name=f"urn:uuid:{n}"),
    ],
    ids=["https", "another host", "new ids", "host and ids", "host, paths and ids"],
)
def test_a_site_that_moves_brings_nothing_new(store: Store, moved: Callable[[int], NewActivity]) -> None:
    source = add_source(store)
    assert _store(store, source, [_entry(n) for n in range(40)]).new == 40
    with store.reading() as tx:
        before = {item.content.title: item.id for item in tx.stream.activities.page(Query(limit=100)).items}
    for _ in range(3):  # and again at every later poll
        assert _store(store, source, [moved(n) for n in range(40)], now=NOON + HOUR).new == 0
    with store.reading() as tx:
        items = tx.stream.activities.page(Query(limit=100)).items
        assert {item.content.title: item.id for item in items} == before
        assert all(tx.stream.versions.of(item.id) == [] or item.content.url for item in items)
    assert _store(store, source, [moved(40), *(moved(n) for n in range(40))], now=NOON + HOUR).new == 1


def test_by_guid_alone_where_people_say_so(store: Store) -> None:
    source = add_source(store)
    _store(store, source, [_entry(1)])
    assert _store(store, source, [_entry(1, name="urn:uuid:1")], recognising=False).new == 1


def test_what_was_purged_does_not_come_back_under_another_id(store: Store) -> None:
    source = add_source(store)
    _store(store, source, [_entry(1)])
    with store.writing() as tx:
        tx.stream.activities.withdraw_all(source.id, "purged", NOON)
    assert _store(store, source, [_entry(1, site="https://new.example")]).new == 0
    with store.reading() as tx:
        assert tx.stream.activities.page(Query()).items == []


def test_a_burst_of_old_entries_is_kept_apart_and_can_be_released_or_dropped(store: Store) -> None:
    source = add_source(store)
    _store(store, source, [_entry(1)])
    burst = [
        _entry(n, site="https://other.example", text=f"Quite different words, number {n}. " * 3) for n in range(3, 303)
    ]
    burst = [replace(entry, content=replace(entry.content, title=f"Other {n}")) for n, entry in enumerate(burst)]
    stored = _store(store, source, burst, judge=partial(quarantined, last_look=NOON))
    assert (stored.new, stored.quarantined) == (300, 300)
    with store.reading() as tx:
        assert len(tx.stream.activities.page(Query(limit=100)).items) == 1
        assert len(tx.stream.activities.in_review(Review.QUARANTINED, 500)) == 300
    with store.writing() as tx:
        assert tx.stream.activities.drop_quarantined(source.id, NOON) == 300
    assert _store(store, source, burst, judge=partial(quarantined, last_look=NOON)).new == 0  # they do not come back
    third = [replace(entry.content, url=None, title=f"Third {n}", text="x" * n) for n, entry in enumerate(burst)]
    again = [replace(entry, native_id=f"again-{n}", content=third[n]) for n, entry in enumerate(burst)]
    assert _store(store, source, again, judge=partial(quarantined, last_look=NOON)).quarantined == 300
    with store.writing() as tx:
        assert (
            tx.moderation.reviews.release(source.id, Review.PUBLISHED, by="person", reason="checked", now=NOON) == 300
        )
    with store.reading() as tx:
        assert len(tx.stream.activities.page(Query(limit=100)).items) == 100


def test_an_edit_is_kept_with_its_time_and_may_be_taken_back_once(store: Store) -> None:
    source = add_source(store)
    texts = ["First words of it. " * 4, "Second thoughts on it. " * 4]
    changed = []
    for turn in range(10):  # two servers that answer in turn, with different words
        entry = _entry(1, text=texts[turn % 2])
        changed.append(_store(store, source, [entry], now=NOON + turn * HOUR).changed)
    assert changed == [0, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    with store.reading() as tx:
        [item] = tx.stream.activities.page(Query()).items
        assert [version["replaced"] for version in tx.stream.versions.of(item.id)] == [
            NOON + n * HOUR for n in range(1, 4)
        ]
    later = _store(store, source, [_entry(1, text=texts[0])], now=NOON + 30 * DAY)
    assert later.changed == 1  # after a while an edit is an edit again
