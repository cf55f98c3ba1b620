"""Test migrations: from empty, up and down and up again, in step with the tables, with version checks."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text, update

from aggregator.domain.errors import NewerSchemaError, SchemaError
from storage import schema
from storage.engine.connect import make_engine
from storage.online_migrations import require_backfill, start_backfill
from storage.store import Store
from storage.tables.migrations import background_migration, schema_compatibility
from tests.building import add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.script import Script
    from sqlalchemy import Engine

TODAY = date(2026, 3, 2)
REVISIONS = [*(f"{number:04}" for number in range(1, 14)), *(f"{number:04}" for number in range(15, 24))]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


def _tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_up_down_up(engine: Engine) -> None:
    config = schema.configuration(engine)
    assert schema.migrate(engine, "test.invalid", TODAY) == REVISIONS
    full = _tables(engine)
    assert {"activity", "source", "host", "transition", "fetch_log", "raw_payload", "activity_version", "audit"} <= full
    command.downgrade(config, "base")
    assert _tables(engine) == {"alembic_version"}
    command.upgrade(config, "head")
    assert _tables(engine) == full


def test_migrations_make_exactly_the_tables(engine: Engine) -> None:
    schema.migrate(engine, "test.invalid", TODAY)
    command.check(schema.configuration(engine))


def test_migrating_again_does_nothing(engine: Engine) -> None:
    schema.migrate(engine, "first.invalid", TODAY)
    assert schema.migrate(engine, "second.invalid", date(2027, 1, 1)) == []
    with Store(engine).reading() as tx:
        assert tx.stream.state.tag_authority() == ("first.invalid", "2026-03-02")


def test_two_that_migrate_at_once_do_it_once(database_url: str) -> None:
    applied: list[list[str]] = []

    def migrate() -> None:
        store = Store.open(database_url)
        applied.append(store.migrate(authority="test.invalid", today=TODAY))
        store.close()

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == [[], [], [], REVISIONS]


def test_a_source_that_is_never_polled_has_no_due_date(engine: Engine) -> None:
    schema.migrate(engine, "test.invalid", TODAY)
    store = Store(engine)
    polled, unpolled = add_source(store, "news"), add_source(store, "desk")
    ingest_now(store, polled, [an_activity()])
    config = schema.configuration(engine)

    command.downgrade(config, "0009")
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        never = "9998-12-31 00:00:00" + ("+00" if engine.dialect.name == "postgresql" else ".000000")
        connection.execute(text("UPDATE source SET due = :never WHERE slug = 'desk'"), {"never": never})
    command.upgrade(config, "head")
    with store.reading() as tx:
        dues = {source.slug: source.poll.due for source in tx.polling.sources.each()}
        kept = tx.stream.activities.known(polled.id, ["1"])
    command.downgrade(config, "0009")
    command.upgrade(config, "head")
    with store.reading() as tx:
        again = {source.slug: source.poll.due for source in tx.polling.sources.each()}

    assert dues == again == {"news": polled.poll.due, "desk": None}
    assert kept
    assert unpolled.poll.due is not None


@pytest.mark.parametrize(
    ("code", "state"),
    [("credentials", "active"), ("account-suspended", "active"), ("gone", "stopped")],
    ids=["token", "account", "gone"],
)
def test_sources_that_a_refusal_stopped_are_polled_again(engine: Engine, code: str, state: str) -> None:
    schema.migrate(engine, "test.invalid", TODAY)
    store = Store(engine)
    add_source(store, "desk")
    command.downgrade(schema.configuration(engine), "0010")
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        connection.execute(text("UPDATE source SET state = 'stopped', last_error_code = :code"), {"code": code})
    command.upgrade(schema.configuration(engine), "head")
    with store.reading() as tx:
        [source] = tx.polling.sources.each()
    assert source.state == state
    assert source.poll.due is not None


def test_a_missing_schema_is_named(engine: Engine) -> None:
    with pytest.raises(SchemaError, match="no schema yet; run 'aggregator migrate'"):
        schema.check(engine)


def test_a_newer_schema_is_refused_and_left_alone(engine: Engine) -> None:
    schema.migrate(engine, "test.invalid", TODAY)
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for attempt in (lambda: schema.check(engine), lambda: schema.migrate(engine, "test.invalid", TODAY)):
        with pytest.raises(SchemaError, match=r"\(9999\) is newer than this version"):
            attempt()


def test_newer_schemas_are_used_by_code_that_they_fit(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    schema.migrate(engine, "test.invalid", TODAY)
    for newest, fits in (("0016", True), ("0015", False)):
        known = tuple(revision for revision in REVISIONS if revision <= newest)
        monkeypatch.setattr(schema, "_known", lambda known=known: known)
        if fits:
            schema.check(engine)
            assert schema.migrate(engine, "test.invalid", TODAY) == []
        else:
            with pytest.raises(NewerSchemaError):
                schema.check(engine)
        with pytest.raises(NewerSchemaError):
            schema.check(engine, exact=True)


def test_each_migration_names_the_oldest_code(engine: Engine) -> None:
    schema.migrate(engine, "test.invalid", TODAY)
    modules = {script.revision: script.module for script in _scripts(engine) if script.revision > "0016"}
    assert all(module.oldest_code <= revision for revision, module in modules.items())
    with engine.connect() as connection:
        rows = connection.execute(select(schema_compatibility)).all()
    assert {row.revision: row.oldest_code for row in rows} == {
        revision: module.oldest_code for revision, module in modules.items()
    }


def test_no_migration_builds_an_index_that_blocks_writers(engine: Engine) -> None:
    for script in _scripts(engine):
        if script.revision > "0016":
            assert "op.create_index" not in Path(script.path).read_text(), "use storage.online_migrations.create_index"


def _scripts(engine: Engine) -> list[Script]:
    return list(ScriptDirectory.from_config(schema.configuration(engine)).walk_revisions())


def test_a_migration_yields_to_a_transaction_in_its_way(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine(postgresql_url)
    schema.migrate(engine, "test.invalid", TODAY)
    command.downgrade(schema.configuration(engine), "0015")
    pauses: list[float] = []
    with engine.connect() as reader:
        reader.execute(text("SELECT count(*) FROM source"))  # a lock until the transaction ends

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            with engine.connect() as other:  # would wait behind the migration, if that still waited
                other.execute(text("SET lock_timeout = 1"))
                other.execute(text("SELECT count(*) FROM source"))
            reader.rollback()

        monkeypatch.setattr(schema, "sleep", pause)
        applied = schema.migrate(engine, "test.invalid", TODAY)
    engine.dispose()
    assert applied == ["0016", "0017", "0018", "0019", "0020", "0021", "0022", "0023"]
    assert len(pauses) == 1


def test_an_index_that_was_interrupted_is_built_again(postgresql_url: str) -> None:
    engine = make_engine(postgresql_url)
    schema.migrate(engine, "test.invalid", TODAY)
    command.downgrade(schema.configuration(engine), "0019")
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM schema_compatibility WHERE revision = '0019'"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0018'"))
        connection.execute(
            text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_source_totals'::regclass")
        )
    assert schema.migrate(engine, "test.invalid", TODAY) == ["0019", "0020", "0021", "0022", "0023"]
    with engine.connect() as connection:
        invalid = connection.execute(text("SELECT count(*) FROM pg_index WHERE NOT indisvalid")).scalar()
    engine.dispose()
    assert invalid == 0


def test_a_migration_waits_for_its_backfill(engine: Engine) -> None:
    schema.migrate(engine, "test.invalid", TODAY)
    with (
        engine.connect().execution_options(writing=True) as connection,
        connection.begin(),
        Operations.context(MigrationContext.configure(connection)),
    ):
        start_backfill("notes")
        start_backfill("notes")
        with pytest.raises(SchemaError, match="run 'aggregator migrate --wait'"):
            require_backfill("notes")
        connection.execute(update(background_migration).values(finished=datetime.now(UTC)))
        require_backfill("notes")


def test_the_revisions_are_those_of_the_migrations(engine: Engine) -> None:
    """Their files' names are read instead of asking Alembic, which takes longer to import than most commands."""
    scripts = ScriptDirectory.from_config(schema.configuration(engine))
    assert schema._known() == tuple(script.revision for script in scripts.walk_revisions())[::-1]
    assert schema.newest() == scripts.get_current_head()


def test_an_older_schema_is_named(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    schema.migrate(engine, "test.invalid", TODAY)
    monkeypatch.setattr(schema, "_known", lambda: ("0023", "9998"))
    with pytest.raises(SchemaError, match=r"\(0023\) is older than this version needs \(9998\)"):
        schema.check(engine)


def test_a_newer_schema_keeps_the_sources_that_were_there(engine: Engine) -> None:
    config = schema.configuration(engine)
    command.upgrade(config, "0001")
    moment = "2026-03-02 12:00:00" + ("+00" if engine.dialect.name == "postgresql" else "")
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        for slug, kind, every in (
            ("usual", "rss", 900),
            ("set", "rss", 3600),
            ("x", "twitter", 300),
            ("often", "twitter", 60),
        ):
            connection.execute(
                text(
                    "INSERT INTO source (slug, kind, name, address, host, options, policy, state, state_reason, every, "
                    "floor, due, due_reason, failures, fetch_state, created, revision) "
                    "VALUES (:slug, :kind, 'N', :slug, 'n.example:443', '{}', 'auto', 'active', '', :every, 60, "
                    ":moment, '', 0, '{}', :moment, 1)"
                ),
                {"slug": slug, "kind": kind, "every": every, "moment": moment},
            )
        connection.execute(
            text(
                "INSERT INTO fetch_log (source_id, started, milliseconds, bytes, requests, outcome, new, changed, "
                "unchanged, next_poll, next_reason) VALUES (1, :moment, 1, 1, 1, 'new', 1, 0, 0, :moment, '')"
            ),
            {"moment": moment},
        )
    assert schema.migrate(engine, "test.invalid", TODAY) == REVISIONS[1:]
    with Store(engine).reading() as tx:
        sources = {source.slug: source for source in tx.polling.sources.each()}
        assert len(tx.polling.schedule.log(sources["usual"].id, 9)) == 1
        assert "feedburner.com" in {group.suffix for group in tx.polling.host_groups.all()}
    expected = {slug: source.every.total_seconds() if source.every else None for slug, source in sources.items()}
    assert expected == {"usual": None, "set": 3600, "x": None, "often": 60}
    assert {source.poll.interval.total_seconds() for source in sources.values()} == {900, 3600, 300, 60}
    assert {source.own_host for source in sources.values()} == {"n.example:443"}
