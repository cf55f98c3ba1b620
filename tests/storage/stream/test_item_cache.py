"""Test that kept items are never outdated, and that the cache is bounded."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, text

from aggregator.domain.activity import Review
from aggregator.domain.stream import Query
from storage.store import Store
from storage.stream.item_cache import ItemCache
from tests.building import NOON, add_source, an_activity, decide, ingest_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from aggregator.domain.stream import Page


def _page(store: Store) -> Page:
    with store.reading() as tx:
        return tx.stream.activities.page(Query(limit=10))


def _edit(store: Store) -> None:
    with store.reading() as tx:
        source = tx.polling.sources.get("feed")
    assert source is not None
    ingest_now(store, source, [an_activity("one", title="Edited")])


def _update(statement: str) -> Callable[[Store], None]:
    def change(store: Store) -> None:
        with store.engine.begin() as connection:
            connection.execute(text(statement))

    return change


CHANGES = {
    "edited": _edit,
    "hidden": lambda store: decide(store, [1], Review.HIDDEN),
    "tagged": _update("""UPDATE activity SET topics = '["budget"]' WHERE id = 1"""),
    "source renamed": _update("UPDATE source SET name = 'New name'"),
    "author renamed": _update("UPDATE actor SET name = 'New name'"),
    "pinned": _update("UPDATE activity SET pinned_until = now() + INTERVAL '1 day' WHERE id = 1"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_changes_is_read_anew(postgresql_store: Store, change: Callable[[Store], None]) -> None:
    store = postgresql_store
    ingest_now(store, add_source(store, "feed"), [an_activity("one"), an_activity("two"), an_activity("three")])
    before = _page(store)

    change(store)

    with closing(Store.open(store.engine.url.render_as_string(hide_password=False))) as other:
        expected = _page(other)
    assert _page(store) == expected
    assert expected != before


def test_what_did_not_change_is_not_read_again(postgresql_store: Store) -> None:
    store = postgresql_store
    source = add_source(store, "feed")
    ingest_now(store, source, [an_activity("one"), an_activity("two")])
    kept = {item.native_id: item for item in _page(store).items}
    ingest_now(store, source, [an_activity("three")])
    rows = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, _statement: str, parameters: object, *_: object) -> None:
        rows.append(parameters)

    items = {item.native_id: item for item in _page(store).items}
    assert items["one"] is kept["one"]
    assert items["two"] is kept["two"]
    assert {"ids": [items["three"].id]} in rows


def test_count_and_size_are_bounded(postgresql_store: Store) -> None:
    ingest_now(postgresql_store, add_source(postgresql_store, "feed"), [an_activity("one", text="x" * 500, html="")])
    item = _page(postgresql_store).items[0]
    few, small = ItemCache(most_items=3), ItemCache(most_characters=4 * 1_500)
    for id_ in range(10):
        few.put(id_, 1, replace(item, first_seen=NOON))
        small.put(id_, 1, item)
    assert [id_ for id_ in range(10) if few.get(id_, 1)] == [7, 8, 9]
    assert [id_ for id_ in range(10) if small.get(id_, 1)] == [6, 7, 8, 9]

    assert few.get(9, 2) is None
    assert few.get(9, 1) is None  # dropped with its version
    huge = replace(item, content=replace(item.content, text="x" * 7_000))
    small.put(9, 1, huge)
    assert small.get(9, 1) is item
