"""Test former versions of edited items: bounded in number and age."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from storage.store import Store
from storage.stream.versions import DEFAULT_VERSIONS_KEPT
from storage.tables.stream import activity_version
from tests.building import NOON, add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from aggregator.domain.source import Source

MINUTE = timedelta(minutes=1)


def test_entries_that_change_at_every_poll_keep_a_bounded_number_of_versions(store: Store) -> None:
    source = add_source(store)
    for poll in range(DEFAULT_VERSIONS_KEPT + 6):
        _edit_all(store, source, poll)
    with store.reading() as tx:
        known = tx.stream.activities.known(source.id, [str(n) for n in range(4)])
        texts = [[version["text"] for version in tx.stream.versions.of(activity.id)] for activity in known.values()]
    newest = [f"Read {poll} times." for poll in range(5, DEFAULT_VERSIONS_KEPT + 5)]
    assert texts == [newest] * 4


def test_the_limit_is_the_stores(store: Store) -> None:
    bounded = Store(store.engine, versions_kept=5)
    source = add_source(bounded)
    for poll in range(9):
        _edit_all(bounded, source, poll)
    assert _count(store) == 4 * 5


def _edit_all(store: Store, source: Source, poll: int) -> None:
    entries = [an_activity(str(n), text=f"Read {poll} times.") for n in range(4)]
    ingest_now(store, source, entries, now=NOON + poll * MINUTE)


def _count(store: Store) -> int:
    with store.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(activity_version)).scalar_one()
