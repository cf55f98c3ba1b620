"""Test `status`: its exit code, the reason in its last line, and that sources with problems come first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text, update

from aggregator.config.broker import key_prefix
from aggregator.domain.activity import Review
from aggregator.domain.polling.api_refusals import Refusal
from aggregator.domain.source import SourceState
from storage.tables.polling import source
from storage.tables.stream import activity
from tests.building import add_source, an_activity, decide, ingest_now
from tests.servers import free_port

if TYPE_CHECKING:
    from storage.store import Store
    from tests.cli.conftest import CommandLine

HOUR = timedelta(hours=1)


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """Give a store whose scheduler runs."""
    with sqlite_store.writing() as tx:
        tx.stream.state.beat(datetime.now(UTC))
    return sqlite_store


def _last(cli: CommandLine) -> str:
    return cli("status", code=1).stdout.splitlines()[-1]


def _add(store: Store, slug: str, **values: object) -> int:
    made = add_source(store, slug, now=datetime.now(UTC) + HOUR)
    if values:
        with store.engine.begin() as connection:
            connection.execute(update(source).where(source.c.id == made.id).values(values))
    return made.id


def _stop(store: Store, slug: str) -> None:
    made = _add(store, slug)
    with store.writing() as tx:
        tx.polling.sources.set_state(made, SourceState.STOPPED, "410 Gone", datetime.now(UTC))


def test_where_all_is_well_the_exit_code_is_0(cli: CommandLine, store: Store) -> None:
    _add(store, "good")
    assert cli("status").stdout.splitlines()[-1] == "All is well."
    assert cli.json("status")[0]["needs_attention"] == []


@pytest.mark.parametrize(
    ("back", "reason"),
    [
        (None, "the scheduler has never run"),
        (timedelta(minutes=5), "the scheduler does not run"),
        (-timedelta(minutes=5), "the scheduler's clock is ahead"),
    ],
    ids=["never", "dead", "ahead"],
)
def test_a_dead_scheduler_needs_a_person(
    cli: CommandLine, sqlite_store: Store, back: timedelta | None, reason: str
) -> None:
    if back is not None:
        with sqlite_store.writing() as tx:
            tx.stream.state.beat(datetime.now(UTC) - back)
    assert _last(cli) == f"Needs attention: {reason}"
    assert cli.json("status", code=1)[0]["needs_attention"] == [reason]


def test_stopped_sources_are_named_together(cli: CommandLine, store: Store) -> None:
    for slug in ("one", "two", "three", "four"):
        _stop(store, slug)
    assert _last(cli) == "Needs attention: 4 sources stopped or failing (four, one, three, ...)"


def test_a_single_failure_needs_no_person(cli: CommandLine, store: Store) -> None:
    _add(store, "flaky", failures=1, last_error="503", last_error_code="http-status", last_success=datetime.now(UTC))
    assert "failing" in cli("status").stdout


def test_a_refusal_needs_a_person(cli: CommandLine, store: Store) -> None:
    now = datetime.now(UTC)
    refusal = Refusal("x", "app", "", "credentials", "X refused the token.", now, now + HOUR, 0, polls=True)
    with store.writing() as tx:
        tx.api.refusals.put(refusal)
    assert _last(cli) == "Needs attention: X refused the token"


def test_an_old_review_queue_needs_a_person(cli: CommandLine, store: Store) -> None:
    ingest_now(store, add_source(store), [an_activity("1")], now=datetime.now(UTC) - timedelta(days=2))
    with store.engine.connect() as connection:
        ids = list(connection.execute(text("SELECT id FROM activity")).scalars())
    decide(store, ids, Review.WAITING)
    with store.engine.begin() as connection:
        connection.execute(update(source).values(due=datetime.now(UTC) + HOUR))
    printed = cli("status", code=1).stdout
    assert "Review queue: 1 item, the oldest from 2 d ago" in printed
    assert printed.splitlines()[-1] == "Needs attention: An item has waited for review for more than 24 hours"
    with store.engine.begin() as connection:
        connection.execute(update(activity).values(first_seen=datetime.now(UTC)))
    cli("status")


def test_sources_with_problems_come_first(cli: CommandLine, store: Store) -> None:
    now = datetime.now(UTC)
    _add(store, "a-good")
    _add(store, "b-flaky", failures=1, last_error="503", last_error_code="http-status", last_success=now)
    _add(store, "c-stale", failures=4, last_error="404", last_error_code="http-status")
    _stop(store, "d-stopped")
    lines = cli("status", code=1).stdout.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("SOURCE"))
    assert [line.split()[0] for line in lines[head + 1 : head + 5]] == ["d-stopped", "c-stale", "b-flaky", "a-good"]
    listed = [line["slug"] for line in cli.json("status", code=1)[1:]]
    assert listed[:2] == ["d-stopped", "c-stale"]
    assert sorted(listed[2:]) == ["a-good", "b-flaky"]


def test_the_day_and_the_database_are_shown(cli: CommandLine, store: Store) -> None:
    with store.engine.begin() as connection:
        day = datetime.now(UTC).date().isoformat()
        for label, measure, count in (("new", "polls", 3), ("failed:gone", "polls", 2), ("new", "items", 5)):
            connection.execute(
                text("INSERT INTO daily_count VALUES (:day, :measure, 'rss', :label, :count)"),
                {"day": day, "measure": measure, "label": label, "count": count},
            )
    printed = cli("status").stdout
    assert "Today: 5 polls (2 failed), 5 new items, 0 changed" in printed
    assert "Database: SQLite, 0." in printed
    assert cli.json("status")[0]["today"] == {"polls": 5, "failed": 2, "new": 5, "changed": 0}


@pytest.fixture
def on_redis(cli: CommandLine, postgresql_store: Store, redis_url: str) -> CommandLine:
    """Give the command line of a stack on PostgreSQL and Redis."""
    with postgresql_store.writing() as tx:
        tx.stream.state.beat(datetime.now(UTC))
    url = postgresql_store.engine.url.render_as_string(hide_password=False)
    cli.environ |= {"AGGREGATOR_DATABASE_URL": url, "AGGREGATOR_BROKER_URL": redis_url}
    return cli


def test_missing_workers_need_a_person(on_redis: CommandLine) -> None:
    assert _last(on_redis) == "Needs attention: no worker responds"


def test_a_dead_broker_needs_a_person(on_redis: CommandLine) -> None:
    on_redis.environ["AGGREGATOR_BROKER_URL"] = f"redis://:secretword@127.0.0.1:{free_port()}/0"
    printed = on_redis("status", code=1).stdout
    assert printed.splitlines()[-1].startswith("Needs attention: the broker does not respond (")
    assert "secretword" not in printed


def test_the_broker_s_queues_are_counted(on_redis: CommandLine, postgresql_store: Store, redis_url: str) -> None:
    from redis import Redis

    with postgresql_store.reading() as tx:
        prefix = key_prefix(tx.stream.state.instance())
    with Redis.from_url(redis_url) as client:
        client.lpush(f"{prefix}feeds", "a", "b")
    assert "Broker: feeds 2 waiting, 0 running" in on_redis("status", code=1).stdout
    assert on_redis.json("status", code=1)[0]["broker"]["queues"] == {"control": 0, "feeds": 2, "api": 0}
