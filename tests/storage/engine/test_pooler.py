"""Test PostgreSQL behind a real PgBouncer in transaction mode."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from storage.store import Store
from tests.building import add_source
from tests.pgbouncer import HOW, pgbouncer, program
from tests.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

pytestmark = [pytest.mark.slow, pytest.mark.skipif(program() is None, reason=HOW)]

LIMITS = "SELECT current_setting('statement_timeout'), current_setting('timezone'), pg_backend_pid()"


@pytest.fixture(params=["refused", "ignored"])
def pooled_url(request: pytest.FixtureRequest, postgresql_store: Store) -> Iterator[str]:
    """Give an address through PgBouncer, which refuses the option of limits or ignores it."""
    ignored = "extra_float_digits" + (", options" if request.param == "ignored" else "")
    url = postgresql_store.engine.url.render_as_string(hide_password=False)
    with pgbouncer(url, size=2, ignored=ignored) as pooled:
        yield pooled


@pytest.fixture
def pooled(pooled_url: str) -> Iterator[Store]:
    store = Store.open(pooled_url)
    yield store
    store.close()


def _limits(connection: Connection) -> tuple[Any, ...]:
    return tuple(connection.execute(text(LIMITS)).one())


def test_a_pooler_is_recognized(pooled: Store, postgresql_store: Store) -> None:
    assert pooled.is_pooled()
    assert not postgresql_store.is_pooled()


def test_each_transaction_has_its_limits_and_leaves_none_to_other_clients(pooled: Store, pooled_url: str) -> None:
    with pooled.engine.connect() as connection:
        assert _limits(connection)[:2] == ("30s", "UTC")
        connection.commit()
        assert _limits(connection)[0] == "30s"
    import psycopg

    seen = set()
    with psycopg.connect(pooled_url.replace("+psycopg", ""), autocommit=True, prepare_threshold=None) as other:
        for _ in range(10):
            seen.add(other.execute("SHOW statement_timeout").fetchone())
    assert seen == {("0",)}


def test_statements_of_many_clients_never_meet(pooled_url: str) -> None:
    """Each of eight clients repeats statements on two sessions: a prepared one would be missing or another's."""

    def work(number: int) -> int:
        store = Store.open(pooled_url)
        try:
            for count in range(40):
                with store.reading() as tx:
                    [[value]] = tx._connection.execute(text(f"SELECT :value + {number % 3}"), {"value": count})
                    assert value == count + number % 3
                    assert tx.stream.state.revision() >= 0
            return 40
        finally:
            store.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 320


def test_changes_are_seen_by_looking_or_at_the_direct_address(pooled_url: str, postgresql_store: Store) -> None:
    direct = postgresql_store.engine.url.render_as_string(hide_password=False)
    for store in (Store.open(pooled_url), Store.open(pooled_url, direct_url=direct)):
        stopping = threading.Event()
        watching = store.watch(stopping)
        first = next(watching)
        assert first is not None
        add_source(store, f"source-{first.revision}")
        with store.writing() as tx:
            tx.stream.state.take(1)
        eventually("the change is seen", lambda: (next(watching) or first).revision > first.revision)  # noqa: B023
        stopping.set()
        watching.close()  # type: ignore[attr-defined]  # a generator
        store.close()


def test_the_schema_is_made_through_the_pooler(postgresql_url: str) -> None:
    from tests.conftest import TODAY

    with pgbouncer(postgresql_url, size=3) as url:
        store = Store.open(url)
        assert store.migrate(authority="test.invalid", today=TODAY)
        store.check_schema()
        assert store.migrate(authority="test.invalid", today=TODAY) == []
        store.close()
