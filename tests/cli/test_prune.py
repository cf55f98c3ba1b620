"""Test `prune`, background migrations in `migrate`, and both in `status`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, update

from storage import backfills
from storage.backfills import Backfill
from storage.tables.migrations import background_migration
from storage.tables.stream import raw_payload
from tests.building import add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from storage.store import Store
    from tests.cli.conftest import CommandLine

NOTES = Backfill("test: notes", "activity", "UPDATE activity SET note = 'x' WHERE id > :after AND id <= :upto")


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """Give a store with an item whose raw entry has expired."""
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity()])
    _age_payloads(sqlite_store, days=40)
    return sqlite_store


def _age_payloads(store: Store, days: int) -> None:
    with store.engine.connect().execution_options(writing=True) as connection, connection.begin():
        connection.execute(update(raw_payload).values(stored=datetime.now(UTC) - timedelta(days=days)))


@pytest.mark.usefixtures("store")
def test_a_dry_run_deletes_nothing(cli: CommandLine) -> None:
    for _ in range(2):
        lines = {line["records"]: line for line in cli.json("prune", "--dry-run")}
        assert (lines["raw-payloads"]["expired"], lines["stream"]["kept"]) == (1, None)
    row = next(line for line in cli("prune", "--dry-run").stdout.splitlines() if line.startswith("raw-payloads"))
    assert row.split() == ["raw-payloads", "30", "days", "AGGREGATOR_RAW_AGE", "40", "d", "ago", "1"]


@pytest.mark.usefixtures("store")
def test_what_expired_is_deleted_and_reported(cli: CommandLine) -> None:
    assert "behind with raw-payloads (the oldest from 40 d ago)" in cli("status", code=1).stdout
    assert cli("prune").stdout == "Deleted 1 raw-payloads.\n"
    assert cli("prune").stdout == "Nothing has expired.\n"
    assert "Retention: 1 record deleted today\n" in cli("status", code=1).stdout
    assert cli.json("status", code=1)[0]["retention"]["raw-payloads"]["deleted_today"] == 1


@pytest.mark.usefixtures("store")
def test_settings_keep_records_longer(cli: CommandLine) -> None:
    cli.environ["AGGREGATOR_RAW_AGE"] = "90"
    assert cli("prune").stdout == "Nothing has expired.\n"


def test_background_migrations_are_shown_and_completed(
    cli: CommandLine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(backfills.BACKFILLS, NOTES.name, NOTES)
    with store.engine.connect().execution_options(writing=True) as connection, connection.begin():
        began = datetime.now(UTC) - timedelta(hours=1)
        connection.execute(insert(background_migration).values(name=NOTES.name, created=began))
    line = "Background migration: test: notes, 0%, 0 rows changed"
    assert cli("migrate").stdout.splitlines() == ["The schema is up to date.", line]
    assert line in cli("status", code=1).stdout
    assert cli.json("status", code=1)[0]["background_migrations"][0]["share"] == 0
    assert "migration-stopped" in [finding["code"] for finding in cli.json("doctor", code=1)]
    assert cli("migrate", "--wait").stdout == "The schema is up to date.\n"
    assert cli.json("status", code=1)[0]["background_migrations"] == []
