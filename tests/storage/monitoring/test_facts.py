"""Test the facts that metrics show, on both databases, and that no query reads items."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import event, text, update

from aggregator.domain.activity import Review
from aggregator.domain.monitoring.alerts import Condition
from aggregator.domain.polling.api_refusals import Refusal
from aggregator.domain.source import SourceState
from storage.monitoring import facts
from storage.tables.polling import source
from tests.building import NOON, add_source, an_activity, decide, ingest_now

if TYPE_CHECKING:
    from datetime import datetime

    import pytest

    from storage.store import Store

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def _set(store: Store, source_id: int, **values: object) -> None:
    with store.engine.begin() as connection:
        connection.execute(update(source).where(source.c.id == source_id).values(values))


def _begin_poll(store: Store, slug: str, until: datetime) -> None:
    with store.writing() as tx:
        leased = tx.polling.sources.get(slug)
        assert leased is not None
        tx.polling.schedule.claim_these([leased.id], NOON - HOUR, lease=MINUTE, token="t")
        tx.polling.schedule.renew([leased.id], "t", until)


def test_sources_are_counted_by_what_matters(store: Store) -> None:
    changes: dict[str, dict[str, object]] = {
        "due": {"due": NOON - MINUTE},
        "later": {"due": NOON + MINUTE, "failures": 3},
        "overdue": {"due": NOON - 50 * MINUTE, "interval": 900, "last_polled": NOON - HOUR},
        "leased": {"due": NOON - MINUTE},
        "lost": {"due": NOON - 2 * MINUTE},
    }
    for slug, values in changes.items():
        _set(store, add_source(store, slug).id, **values)
    for slug, until in (("leased", NOON + MINUTE), ("lost", NOON - MINUTE)):
        _begin_poll(store, slug, until)
    stopped = add_source(store, "stopped", "ical", address="https://stopped.example/cal")
    with store.writing() as tx:
        tx.polling.sources.set_state(stopped.id, SourceState.STOPPED, "gone", NOON)
    with store.reading() as tx:
        found = {(counts.kind, counts.state): counts for counts in tx.monitoring.facts.read(NOON).sources}
        oldest = tx.monitoring.facts.read(NOON).oldest_due
    active = found["rss", "active"]
    assert (active.sources, active.due, active.overdue, active.failing, active.leased, active.unfinished) == (
        5,
        3,
        1,
        1,
        1,
        1,
    )
    assert active.last_polled == NOON - HOUR
    assert found["ical", "stopped"].sources == 1
    assert oldest == NOON - 50 * MINUTE


def test_a_paused_host_is_no_delay(store: Store) -> None:
    made = add_source(store)
    _set(store, made.id, due=NOON - HOUR)
    with store.writing() as tx:
        tx.polling.hosts.pause(made.host, NOON + HOUR, NOON, "429")
    with store.reading() as tx:
        read = tx.monitoring.facts.read(NOON)
    assert (read.oldest_due, read.paused_hosts) == (None, 1)


def test_the_queue_alerts_and_refusals_are_counted(store: Store) -> None:
    made = add_source(store)
    ingest_now(store, made, [an_activity(str(number)) for number in range(4)])
    with store.engine.connect() as connection:
        ids = list(connection.execute(text("SELECT id FROM activity ORDER BY id")).scalars())
    decide(store, ids[:2], Review.WAITING)
    decide(store, ids[2:3], Review.QUARANTINED)
    refusal = Refusal("x", "settings", "", "credits", "no credits", NOON, NOON + HOUR, 0, True)
    with store.writing() as tx:
        tx.monitoring.alerts.hold([Condition("queue-old", "queue", "An item waits.")], NOON)
        tx.api.refusals.put(refusal)
        tx.api.refusals.put(refusal._replace(endpoint="search"))
    with store.reading() as tx:
        read = tx.monitoring.facts.read(NOON)
    assert (read.queue.waiting, read.queue.quarantined, read.queue.oldest_waiting) == (2, 1, NOON)
    assert read.alerts == {"queue-old": 1}
    assert read.refusals == {("x", "credits"): 2}
    assert read.revision > 0


def test_long_queues_are_counted_up_to_a_limit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "COUNTED", 2)
    ingest_now(store, add_source(store), [an_activity(str(number)) for number in range(5)])
    with store.engine.connect() as connection:
        ids = list(connection.execute(text("SELECT id FROM activity")).scalars())
    decide(store, ids, Review.WAITING)
    with store.reading() as tx:
        assert tx.monitoring.facts.read(NOON).queue.waiting == 2


def test_the_database_is_measured(store: Store) -> None:
    with store.reading() as tx:
        database = tx.monitoring.facts.read(NOON).database
    assert database.kind == store.engine.dialect.name
    assert database.bytes > 100_000
    if database.kind == "postgresql":
        assert {"activity", "source", "fetch_log"} <= {table.name for table in database.tables}
        assert database.connections
        assert database.most_connections
        assert database.connections <= database.most_connections


def test_the_number_of_queries_is_fixed(store: Store) -> None:
    queries: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *arguments: queries.append(arguments[2]))
    numbers = []
    for size in (1, 20):
        for number in range(size):
            made = add_source(store, f"s{size}-{number}")
            ingest_now(store, made, [an_activity(f"{size}-{number}")])
        queries.clear()
        with store.reading() as tx:
            tx.monitoring.facts.read(NOON)
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] < 20
