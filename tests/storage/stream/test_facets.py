"""Test that facet counts are bounded, and say where there may be more."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.activity import ActivityKind
from aggregator.domain.stream import Query
from tests.building import NOON, add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from storage.store import Store


@pytest.fixture
def filled(store: Store) -> Store:
    """Store articles in turn in English and French, and some videos before them, all in French."""
    items = [
        an_activity(f"a{number:02}", lang="fr" if number % 2 else "en", published=NOON - number * timedelta(minutes=1))
        for number in range(20)
    ]
    videos = [
        an_activity(f"v{n}", kind=ActivityKind.VIDEO, lang="fr", published=NOON - timedelta(days=1 + n))
        for n in range(5)
    ]
    ingest_now(store, add_source(store), [*items, *videos][::-1])
    return store


def counted(store: Store, most: int, **filters: frozenset[str]) -> tuple[int, bool]:
    with store.reading() as tx:
        found = tx.stream.activities.facets(Query(**filters), {}, most=most)  # type: ignore[arg-type]
    return found.examined, found.partial


def test_all_are_counted_if_they_are_few(filled: Store) -> None:
    assert counted(filled, 100) == (25, False)
    assert counted(filled, 100, languages=frozenset({"fr"})) == (15, False)


def test_no_more_than_the_newest_are_counted(filled: Store) -> None:
    assert counted(filled, 10) == (10, True)
    assert counted(filled, 10, languages=frozenset({"fr"})) == (10, True)


def test_counts_are_partial_where_a_second_filter_leaves_out_some_of_the_newest(filled: Store) -> None:
    both = {"languages": frozenset({"fr"}), "kinds": frozenset({ActivityKind.ARTICLE})}
    assert counted(filled, 100, **both) == (10, False)
    examined, partial = counted(filled, 14, **both)
    assert partial
    assert examined < 14


def test_kinds_without_items_are_not_present(filled: Store) -> None:
    with filled.reading() as tx:
        assert tx.stream.activities.present("kind", ["post", "video", "article"]) == ["video", "article"]
        assert tx.stream.activities.present("kind", []) == []
