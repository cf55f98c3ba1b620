"""Test retention: old records are deleted in small batches, and what was deleted does not come back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Table, event, func, insert, select, update

from aggregator.config.settings import Settings
from aggregator.domain.activity import ActivityKind, Occasion, Review
from aggregator.domain.monitoring.counts import PRUNED, CountKey
from aggregator.domain.retention import BEHIND, Records
from aggregator.services import cleanup
from aggregator.services.cleanup import Cleanup
from storage.retention import Retention
from storage.store import Store
from storage.tables.polling import fetch_log
from storage.tables.stream import activity, activity_version, raw_payload
from tests.building import NOON, add_source, an_activity, decide, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.domain.source import Source

DAY = timedelta(days=1)
LATER = NOON + 31 * DAY


def settings(**environ: str) -> Settings:
    return Settings.from_environment({f"AGGREGATOR_{name}": value for name, value in environ.items()})


def clean(store: Store, now: datetime = LATER, **environ: str) -> dict[str, int]:
    return Cleanup(store, settings(**environ), lambda: now).run()


def count(store: Store, table: Table) -> int:
    with store.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def kept_for(store: Store, days: int) -> Store:
    return Store(store.engine, stream_age=days * DAY)


def shown(store: Store) -> list[str]:
    with store.engine.connect() as connection:
        rows = connection.execute(select(activity.c.native_id).where(activity.c.visible).order_by(activity.c.id))
        return list(rows.scalars())


def ids(store: Store) -> list[int]:
    with store.engine.connect() as connection:
        return list(connection.execute(select(activity.c.id).order_by(activity.c.id)).scalars())


def log_polls(store: Store, source: Source, times: Sequence[datetime]) -> None:
    line: dict[str, Any] = {
        **dict.fromkeys(("milliseconds", "bytes", "requests", "new", "changed", "unchanged"), 0),
        "source_id": source.id,
        "outcome": "new",
        "next_poll": NOON,
        "next_reason": "",
    }
    with store.engine.connect().execution_options(writing=True) as connection, connection.begin():
        connection.execute(insert(fetch_log), [{**line, "started": moment} for moment in times])


def edit(store: Store, source: Source, days: int) -> None:
    ingest_now(store, source, [an_activity(text=f"Edited on day {days}.")], now=NOON + days * DAY)


def test_records_are_deleted_by_their_age(store: Store) -> None:
    source = add_source(store)
    log_polls(store, source, [NOON, NOON + 2 * DAY])
    ingest_now(store, source, [an_activity("old")])
    ingest_now(store, source, [an_activity("new")], now=NOON + 2 * DAY)
    deleted = clean(store)
    assert (deleted[Records.FETCH_LOG], deleted[Records.RAW_PAYLOADS]) == (1, 1)
    assert (count(store, fetch_log), count(store, raw_payload)) == (1, 1)
    assert shown(store) == ["old", "new"]
    assert clean(store) == dict.fromkeys(deleted, 0)


def test_versions_are_deleted_by_their_age(store: Store) -> None:
    source = add_source(store)
    for days in range(5):
        edit(store, source, days)
    assert clean(store, NOON + 92 * DAY)[Records.VERSIONS] == 1  # replaced on day 1
    assert clean(store, NOON + 92 * DAY, VERSIONS_AGE="89")[Records.VERSIONS] == 1
    assert count(store, activity_version) == 2


def test_a_run_deletes_many_batches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup, "_USUAL_BATCH", 10)
    log_polls(store, add_source(store), [NOON] * 55)
    statements: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    assert clean(store)[Records.FETCH_LOG] == 55
    assert sum("DELETE FROM fetch_log" in statement for statement in statements) == 6


def test_a_run_ends_in_time_and_the_next_continues(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup, "_USUAL_BATCH", 10)
    log_polls(store, add_source(store), [NOON] * 30)
    run = Cleanup(store, settings(), lambda: LATER)
    assert run.run(0)[Records.FETCH_LOG] == 0
    assert run.run()[Records.FETCH_LOG] == 30


def test_locked_records_are_left_to_the_next_run(store: Store) -> None:
    if store.engine.dialect.name == "sqlite":
        pytest.skip("SQLite locks no rows")
    log_polls(store, add_source(store), [NOON] * 3)
    with store.engine.begin() as connection:
        connection.execute(select(fetch_log.c.id).order_by(fetch_log.c.id).limit(1).with_for_update())
        assert clean(store)[Records.FETCH_LOG] == 2
    assert clean(store)[Records.FETCH_LOG] == 1


@pytest.mark.parametrize("by_rule", [False, True], ids=["person", "rule"])
def test_hidden_items_lose_their_content(store: Store, by_rule: bool) -> None:
    source = add_source(store)
    ingest_now(store, source, [an_activity("hidden"), an_activity("shown")])
    hidden = ids(store)[0]
    decide(store, [hidden], Review.HIDDEN)
    if by_rule:
        with store.engine.connect().execution_options(writing=True) as connection, connection.begin():
            connection.execute(update(activity).where(activity.c.id == hidden).values(reviewed=None))
    assert clean(store, NOON + 179 * DAY)[Records.HIDDEN_ITEMS] == 0
    assert clean(store, NOON + 181 * DAY, HIDDEN_AGE="forever")[Records.HIDDEN_ITEMS] == 0
    assert clean(store, NOON + 181 * DAY)[Records.HIDDEN_ITEMS] == 1
    with store.reading() as tx:
        item = tx.stream.activities.get(hidden)
    assert item is not None
    assert (item.content.title, item.content.text) == (None, "")
    assert not ingest_now(store, source, [an_activity("hidden", text="Again.")], now=NOON + 182 * DAY).new
    assert not decide(store, [hidden], Review.PUBLISHED)
    assert shown(store) == ["shown"]


def test_the_stream_is_kept_forever_by_default(store: Store) -> None:
    ingest_now(store, add_source(store), [an_activity()])
    assert clean(store, NOON + 36_000 * DAY)[Records.STREAM] == 0
    assert shown(store) == ["1"]


def test_items_older_than_the_stream_do_not_come_back(store: Store) -> None:
    source, now = add_source(store), NOON + 31 * DAY
    undated = an_activity("undated", published=None)
    ingest_now(store, source, [an_activity("old"), undated])
    ingest_now(store, source, [an_activity("new", published=NOON + 3 * DAY)], now=NOON + 3 * DAY)
    assert clean(store, now, STREAM_AGE="30")[Records.STREAM] == 2
    assert shown(store) == ["new"]
    again = [an_activity("old", published=now), undated]  # with a new date
    for kept in (kept_for(store, 30), store):  # also after the setting was changed
        assert not ingest_now(kept, source, again, now=now).new
    assert shown(store) == ["new"]
    assert clean(store, now, STREAM_AGE="30")[Records.STREAM] == 0


def test_entries_older_than_the_stream_are_not_stored(store: Store) -> None:
    source, now, kept = add_source(store), NOON + 31 * DAY, kept_for(store, 30)
    entries = [an_activity("old"), an_activity("new", published=now - DAY), an_activity("undated", published=None)]
    stored = ingest_now(kept, source, entries, now=now)
    assert (stored.new, stored.unchanged) == (2, 1)
    assert shown(store) == ["new", "undated"]


def test_events_are_kept_after_their_end(store: Store) -> None:
    now, kept = NOON + 31 * DAY, kept_for(store, 30)

    def happening(name: str, start: datetime, end: datetime | None = None) -> Any:
        return an_activity(name, kind=ActivityKind.EVENT, event=Occasion(start, end))

    past, current, coming = (
        happening("past", NOON - DAY),
        happening("current", NOON - DAY, now + DAY),
        happening("coming", now + 300 * DAY),
    )
    source = add_source(store)
    ingest_now(store, source, [past, current, coming])
    assert clean(store, now, STREAM_AGE="30")[Records.STREAM] == 1
    assert shown(store) == ["current", "coming"]
    assert ingest_now(kept, add_source(store, "other"), [past, coming], now=now).new == 1


def test_pinned_items_stay(store: Store) -> None:
    ingest_now(store, add_source(store), [an_activity()])
    with store.engine.connect().execution_options(writing=True) as connection, connection.begin():
        connection.execute(update(activity).values(pinned_until=LATER + DAY))
    assert clean(store, STREAM_AGE="30")[Records.STREAM] == 0


def test_mirrors_learn_of_deleted_items(store: Store) -> None:
    source = add_source(store)
    ingest_now(store, source, [an_activity("1")])
    ingest_now(store, source, [an_activity("2", published=NOON + 3 * DAY)], now=NOON + 3 * DAY)
    first, _ = ids(store)
    with serving(app_of(store)) as reader:
        synced = reader.ask("/api/v1/changes?after=0").json
        clean(store, STREAM_AGE="30")
        changes = reader.ask(f"/api/v1/changes?after={synced['next']}").json
        page = reader.ask(f"/api/v1/activities/{first}")
    assert [(change["type"], change["id"]) for change in changes["changes"]] == [("gone", str(first))]
    assert page.status == 410


def test_deletions_are_counted(store: Store) -> None:
    log_polls(store, add_source(store), [NOON] * 3)
    clean(store)
    with store.reading() as tx:
        assert tx.monitoring.counts.totals() == {CountKey(PRUNED, "fetch-log"): 3}


def test_what_expired_is_shown_before_it_is_deleted(store: Store) -> None:
    log_polls(store, add_source(store), [NOON] * 3)
    run = Cleanup(store, settings(), lambda: LATER)
    found = {state.rule.records: (state.oldest, expired) for state, expired in run.expired()}
    assert found[Records.FETCH_LOG] == (NOON, 3)
    assert found[Records.STREAM] == (None, 0)
    [log] = [state for state, _ in run.expired() if state.rule.records is Records.FETCH_LOG]
    assert not log.is_behind(LATER)
    assert log.is_behind(LATER + BEHIND)
    assert count(store, fetch_log) == 3


def test_batches_use_indexes(postgresql_store: Store) -> None:
    """Without statistics, PostgreSQL would read small tables as a whole; so that is forbidden here."""
    store = postgresql_store
    plans: list[str] = []
    with store.engine.connect() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")
        connection.exec_driver_sql("SET enable_sort = off")

        def explain(_c: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            if statement.startswith(("DELETE", "SELECT activity.id")):
                with cursor.connection.cursor() as other:
                    other.execute(f"EXPLAIN {statement}", parameters)
                    plans.append("\n".join(row[0] for row in other.fetchall()))

        event.listen(store.engine, "before_cursor_execute", explain)
        for records in Records:
            Retention(connection).prune(records, NOON, NOON, 10)
        event.remove(store.engine, "before_cursor_execute", explain)
    assert len(plans) == len(Records) + 1
    used = ("ix_fetch_log_started", "ix_raw_payload_stored", "ix_activity_version_replaced", "ix_activity_hidden",
            "ix_activity_hidden", "ix_activity_stream")  # fmt: skip
    for index, plan in zip(used, plans, strict=True):
        assert f"using {index}" in plan, plan
        assert "Sort" not in plan
