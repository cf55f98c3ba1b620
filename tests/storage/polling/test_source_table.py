"""Test the orders of the table of sources and their pages, on both databases."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select, update

from aggregator.domain.source import EVERY_SOURCE, SourceFilter, SourceState
from aggregator.domain.source_sorting import SourceSort
from storage.tables.polling import source
from tests.building import NOON, add_source
from tests.counting import counted_statements

if TYPE_CHECKING:
    from storage.store import Store

LONGEST = 0.3  # seconds for a page of many sources
MANY = 100_000


def _set(store: Store, slug: str, **values: object) -> None:
    with store.engine.begin() as connection:
        connection.execute(update(source).where(source.c.slug == slug).values(**values))


def _pages(store: Store, sort: SourceSort, size: int, which: SourceFilter = EVERY_SOURCE) -> list[str]:
    slugs: list[str] = []
    after = None
    with store.reading() as tx:
        while found := tx.polling.source_table.page(sort, size, after, which):
            assert len(found) <= size
            slugs += [each.slug for each in found]
            after = found[-1].id
    return slugs


@pytest.mark.parametrize("size", [1, 2, 3, 10])
@pytest.mark.parametrize(
    ("sort", "slugs"),
    [
        (SourceSort.NAME, ["b", "d", "a", "c", "e"]),
        (SourceSort.FOLDER, ["d", "c", "e", "b", "a"]),
        (SourceSort.LAST_NEW, ["c", "b", "a", "d", "e"]),
        (SourceSort.DUE, ["e", "a", "b", "d", "c"]),
        (SourceSort.FAILURES, ["d", "e", "b", "c", "a"]),
    ],
)
def test_pages_of_any_size_have_each_source_once_in_order(
    store: Store, sort: SourceSort, slugs: list[str], size: int
) -> None:
    for slug, name, folder, new, due, failures in (
        ("a", "Beta", "ministries", 1, 2, 0),
        ("b", "Alpha", "ministries", 1, 3, 4),
        ("c", "Gamma", "", 9, None, 0),
        ("d", "Alpha", "", None, 3, 7),
        ("e", "Gamma", "", None, 1, 4),
    ):
        add_source(store, slug, name=name)
        values = {"last_new": new and NOON + timedelta(hours=new), "due": due and NOON + timedelta(hours=due)}
        _set(store, slug, folder=folder, failures=failures, **values)
    add_source(store, "removed", name="Aaa")
    _set(store, "removed", state=SourceState.REMOVED.value)
    assert _pages(store, sort, size) == slugs


def test_pages_are_filtered(store: Store) -> None:
    for slug in ("a", "b", "c"):
        add_source(store, slug)
    _set(store, "b", folder="x", state=SourceState.PAUSED.value)
    _set(store, "c", folder="x")
    assert _pages(store, SourceSort.NAME, 2, SourceFilter(folder="x")) == ["b", "c"]
    assert _pages(store, SourceSort.DUE, 2, SourceFilter(folder="x", state=SourceState.PAUSED)) == ["b"]
    with store.reading() as tx:
        assert tx.polling.source_table.folders() == ["x"]
        assert tx.polling.source_table.page(SourceSort.NAME, 2, 99) == []


@pytest.mark.slow
def test_a_page_of_many_sources_is_quick(store: Store) -> None:
    add_source(store, "first")
    with store.engine.begin() as connection:
        row = dict(connection.execute(select(source)).mappings().one())
        del row["id"]
        for start in range(0, MANY, 1000):
            rows = [
                {**row, "slug": f"s{n}", "name": f"Source {n * 7919 % MANY}", "address": f"https://s{n}.example/feed",
                 "failures": n % 5, "folder": f"f{n % 40}" if n % 3 else "", "due": NOON + timedelta(seconds=n),
                 "last_new": NOON + timedelta(seconds=n * 31 % MANY) if n % 10 else None}
                for n in range(start, start + 1000)
            ]  # fmt: skip
            connection.execute(insert(source), rows)
    if store.engine.dialect.name == "postgresql":
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE source")
    slow = {}
    for sort in SourceSort:
        after = None
        for page in range(3):
            with store.reading() as tx, counted_statements(store) as statements:
                began = time.perf_counter()
                found = tx.polling.source_table.page(sort, 51, after)
                tx.polling.source_table.folders()
                took = time.perf_counter() - began
            after = found[-1].id
            assert len(statements) <= 5
            if took > LONGEST:
                slow[sort, page] = took
    assert slow == {}
