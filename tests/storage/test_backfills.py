"""Test backfills: in batches, resumed where they ended, by one process at a time."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, insert, select

from aggregator.services.background_migrations import BackgroundMigrations
from storage import backfills
from storage.backfills import Backfill, BackfillState
from storage.tables.migrations import background_migration
from storage.tables.stream import activity
from tests.building import add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from storage.store import Store

ITEMS = 30
NOTES = Backfill(
    "test: notes", "activity", "UPDATE activity SET note = 'x' WHERE id > :after AND id <= :upto AND note IS NULL"
)


@pytest.fixture(autouse=True)
def started(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(backfills.BACKFILLS, NOTES.name, NOTES)
    ingest_now(store, add_source(store), [an_activity(str(number)) for number in range(ITEMS)])
    start(store, NOTES.name)


def start(store: Store, name: str) -> None:
    with store.engine.connect().execution_options(writing=True) as connection, connection.begin():
        connection.execute(insert(background_migration).values(name=name, created=datetime.now(UTC)))


def changed(store: Store) -> int:
    with store.engine.connect() as connection:
        return connection.execute(select(func.count()).where(activity.c.note == "x")).scalar_one()


def state(store: Store) -> BackfillState:
    with store.reading() as tx:
        return next(state for state in tx.backfills.states() if state.name == NOTES.name)


def batch(store: Store, size: int) -> bool:
    with store.writing() as tx:
        return tx.backfills.run_batch(NOTES, size)


def test_each_batch_commits_its_progress(store: Store) -> None:
    assert batch(store, 10)
    assert (changed(store), state(store).changed) == (10, 10)
    assert state(store).share == pytest.approx(10 / ITEMS)
    with suppress(RuntimeError), store.writing() as tx:
        tx.backfills.run_batch(NOTES, 10)
        raise RuntimeError  # as if the process were killed
    assert (changed(store), state(store).changed) == (10, 10)
    assert batch(store, 15)
    assert changed(store) == 25


def test_it_finishes_behind_the_last_row(store: Store) -> None:
    assert BackgroundMigrations(store).run(60) == 1
    assert (changed(store), state(store).share) == (ITEMS, 1)
    assert state(store).finished is not None
    with store.reading() as tx:
        assert tx.backfills.pending() == []
    assert not batch(store, 10)


def test_those_of_a_newer_version_are_left_to_it(store: Store) -> None:
    start(store, "test: unknown")
    BackgroundMigrations(store).run(60)
    with store.reading() as tx:
        assert tx.backfills.pending() == ["test: unknown"]
        assert {state.name: state.share for state in tx.backfills.states()}["test: unknown"] is None


def test_a_batch_that_fails_is_reported_and_tried_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Backfill(NOTES.name, NOTES.table, "UPDATE activity SET key = NULL")
    monkeypatch.setitem(backfills.BACKFILLS, NOTES.name, broken)
    BackgroundMigrations(store).run(60)
    assert state(store).problem
    assert changed(store) == 0
    monkeypatch.setitem(backfills.BACKFILLS, NOTES.name, NOTES)
    BackgroundMigrations(store).run(60)
    assert (state(store).problem, changed(store)) == (None, ITEMS)


def test_one_process_runs_it_at_a_time(store: Store) -> None:
    if store.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    with store.writing(lock_stream=False) as first:
        assert first.backfills.run_batch(NOTES, 10)
        with store.writing(lock_stream=False) as second:
            assert not second.backfills.run_batch(NOTES, 10)
    assert changed(store) == 10


def test_rows_that_old_code_added_meanwhile_are_changed_too(store: Store) -> None:
    assert batch(store, ITEMS)
    ingest_now(store, add_source(store, "more"), [an_activity("late")])
    BackgroundMigrations(store).run(60)
    assert changed(store) == ITEMS + 1
