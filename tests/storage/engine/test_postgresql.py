"""Test databases that fail over, hang or drop connections: noticed in time, and used again without a restart."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import OperationalError, connect
from sqlalchemy import text
from sqlalchemy.engine import make_url
from structlog.testing import capture_logs

from aggregator.domain.errors import StoreUnavailableError
from aggregator.services.database_wait import await_database
from storage.engine import postgresql
from storage.engine.postgresql import BoundedConnection
from storage.store import Store
from tests import servers
from tests.building import NOON, add_source
from tests.faults.tcp_proxy import TcpProxy
from tests.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.long

PATIENCE = 30.0  # seconds: the machine may be busy


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the limits, so that tests need not wait for those of production."""
    monkeypatch.setattr(postgresql.BoundedConnection, "answer_limit", 1.0)
    monkeypatch.setattr(postgresql, "_PING_LIMIT", 0.5)
    monkeypatch.setattr(postgresql, "_POOL_LIMIT", 0.5)


@pytest.fixture
def proxied(postgresql_store: Store) -> Iterator[tuple[Store, TcpProxy]]:
    """Give a store that reaches its database through a proxy."""
    url = postgresql_store.engine.url
    with TcpProxy.before(str(url.host), int(url.port or 0)) as proxy:
        store = Store.open(url.set(port=proxy.port).render_as_string(hide_password=False))
        yield store, proxy
        store.close()


@pytest.mark.usefixtures("short_limits")
def test_a_hung_database_is_given_up_and_used_again(proxied: tuple[Store, TcpProxy]) -> None:
    store, proxy = proxied
    _read(store)
    proxy.hang()
    with pytest.raises(StoreUnavailableError):
        _within(PATIENCE, lambda: _read(store))
    proxy.restore()
    eventually("the store reads again", lambda: _read(store) >= 0)


@pytest.mark.usefixtures("short_limits")
def test_a_statement_under_way_when_the_database_hangs_is_given_up(proxied: tuple[Store, TcpProxy]) -> None:
    store, proxy = proxied

    def read_then_hang() -> None:
        with store.reading() as tx:
            tx.stream.state.revision()
            proxy.hang()
            tx.stream.state.revision()

    with pytest.raises(StoreUnavailableError, match="no answer within 1 s"):
        _within(PATIENCE, read_then_hang)


@pytest.mark.usefixtures("short_limits")
def test_connections_that_the_network_forgot_are_replaced(proxied: tuple[Store, TcpProxy]) -> None:
    store, proxy = proxied
    _read(store)
    proxy.forget()
    assert _within(PATIENCE, lambda: _read(store)) >= 0  # by another connection, without an error
    assert proxy.accepted >= 2


def test_connections_that_the_network_forgot_are_replaced_within_a_second(proxied: tuple[Store, TcpProxy]) -> None:
    store, proxy = proxied
    _read(store)
    proxy.forget()
    assert _within(1.5, lambda: _read(store)) >= 0  # the machine may be busy


def test_a_server_that_is_slow_to_prove_itself_may_do_so_on_a_new_connection(
    proxied: tuple[Store, TcpProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, proxy = proxied
    wait = BoundedConnection.wait

    def slow_to_prove(connection: BoundedConnection, *arguments: Any) -> Any:
        if connection.answer_limit == postgresql._PING_LIMIT:
            connection.pgconn.finish()
            raise OperationalError("no answer in time")
        return wait(connection, *arguments)

    monkeypatch.setattr(BoundedConnection, "wait", slow_to_prove)
    for _ in range(3):
        assert _read(store) >= 0
    assert proxy.accepted == 3


def test_the_wait_for_a_connection_is_known_while_it_lasts(proxied: tuple[Store, TcpProxy]) -> None:
    store, proxy = proxied
    assert store.longest_wait() == 0
    proxy.hang()
    waiting = threading.Thread(target=_is_refused, args=(lambda: _read(store),))
    waiting.start()
    eventually("a wait is seen", lambda: store.longest_wait() > 0.1)
    proxy.restore()
    waiting.join(PATIENCE)
    assert store.longest_wait() == 0


def test_a_pooled_connection_that_seems_dead_is_known_before_it_is_given_up(
    proxied: tuple[Store, TcpProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, proxy = proxied
    monkeypatch.setattr(postgresql, "_PING_LIMIT", 3.0)  # time enough to look
    _read(store)
    assert store.longest_ping() == 0
    proxy.forget()
    waiting = threading.Thread(target=_read, args=(store,))
    waiting.start()
    eventually("it is seen", lambda: store.longest_ping() > 0.1)
    waiting.join(PATIENCE)
    assert store.longest_ping() == 0


@pytest.mark.usefixtures("short_limits")
def test_a_full_pool_is_the_databases_trouble(postgresql_store: Store) -> None:
    url = postgresql_store.engine.url.render_as_string(hide_password=False)
    store = Store.open(url)
    connections = [store.engine.connect() for _ in range(10)]
    with pytest.raises(StoreUnavailableError, match="all connections are in use"):
        _read(store)
    stopping = threading.Event()
    watching = store.watch(stopping)
    assert next(watching) is not None  # it has a connection of its own
    stopping.set()
    for connection in connections:
        connection.close()
    assert _read(store) >= 0
    watching.close()  # type: ignore[attr-defined]  # a generator
    store.close()


def test_a_server_that_becomes_read_only_is_left_for_another_one(postgresql_store: Store) -> None:
    """As a managed service does before it moves the primary: sessions stay, and writes are refused."""
    store = postgresql_store
    add_source(store, "before")
    pids = _backends(store)
    with _read_only(store):
        # The new setting reaches the server's sessions a moment later. It may lack the latest decisions, so reading
        # is refused, too.
        eventually("reading is refused", lambda: _is_refused(lambda: _read(store)))
        assert _is_refused(lambda: add_source(store, "during"))
    add_source(store, "after")
    assert pids.isdisjoint(_backends(store))


def test_the_watch_notices_a_read_only_server_and_its_end(postgresql_store: Store) -> None:
    stopping = threading.Event()
    watching = postgresql_store.watch(stopping)
    assert next(watching) is not None
    with _read_only(postgresql_store):
        eventually("the watch tells of it", lambda: next(watching) is None)
    eventually("the watch reads again", lambda: next(watching) is not None)
    stopping.set()
    watching.close()  # type: ignore[attr-defined]  # a generator


@pytest.mark.parametrize("code", ["57P01", "57P03", "25006", "XX000", "0A000", "42501", "42P01"])
def test_errors_of_the_database_are_no_errors_of_the_values(postgresql_store: Store, code: str) -> None:
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'broken' USING ERRCODE = '{code}'; END $$"
    named = "read-only" if code == "25006" else "broken"
    with pytest.raises(StoreUnavailableError, match=named), postgresql_store.writing() as tx:
        tx.stream._connection.execute(text(raising))
    assert _read(postgresql_store) >= 0


def test_a_mistake_in_a_value_is_not_the_databases_trouble(postgresql_store: Store) -> None:
    with pytest.raises(Exception, match="division by zero") as raised, postgresql_store.writing() as tx:
        tx.stream._connection.execute(text("SELECT 1/0"))
    assert not isinstance(raised.value, StoreUnavailableError)


def test_a_standby_is_never_used_and_its_promotion_is_noticed() -> None:
    with servers.postgresql_node() as (primary, _):
        primary.stop()
        standby = primary.copy_as_standby(servers.free_port())
        primary.start()
        try:
            with TcpProxy.before("127.0.0.1", primary.port) as proxy:
                _fail_over(primary, standby, proxy)
        finally:
            standby.stop()


def _fail_over(primary: servers.PostgresNode, standby: servers.PostgresNode, proxy: TcpProxy) -> None:
    store = Store.open(make_url(primary.url).set(port=proxy.port).render_as_string())
    store.migrate(authority="test.invalid", today=NOON.date())
    add_source(store, "before")
    standby.start()
    eventually("the standby has it all", lambda: _count(standby) == 1)
    proxy.target = ("127.0.0.1", standby.port)
    primary.stop()
    with pytest.raises(StoreUnavailableError):
        _read(store)
    standby.promote()
    eventually("the store writes to the new primary", lambda: add_source(store, "after"))
    store.close()
    assert _count(standby) == 2


def test_a_start_waits_for_an_absent_database(postgresql_store: Store) -> None:
    url = postgresql_store.engine.url
    with TcpProxy.before(str(url.host), int(url.port or 0)) as proxy:
        proxy.refuse()
        store = Store.open(url.set(port=proxy.port).render_as_string(hide_password=False))
        waiting = threading.Thread(target=await_database, args=(store,), kwargs={"embedded": False})
        with capture_logs() as lines:
            waiting.start()
            eventually("it says so", lambda: [line["event"] for line in lines] == ["waiting for the database"])
            proxy.restore()
            waiting.join(PATIENCE)
        assert not waiting.is_alive()
        store.close()


def _read(store: Store) -> int:
    with store.reading() as tx:
        return tx.stream.state.revision()


def _is_refused(work: Callable[[], object]) -> bool:
    try:
        work()
    except StoreUnavailableError:
        return True
    return False


def _within(seconds: float, work: Any) -> Any:
    start = time.monotonic()
    try:
        return work()
    finally:
        assert time.monotonic() - start < seconds


def _count(node: servers.PostgresNode) -> int:
    with connect(node.url.replace("+psycopg", "")) as connection:
        row = connection.execute("SELECT count(*) FROM source").fetchone()
    return int(row[0]) if row else 0


def _backends(store: Store) -> set[int]:
    """Return the process ids of the sessions in the store's pool."""
    with store.engine.connect() as connection:
        return set(connection.execute(text("SELECT pg_backend_pid()")).scalars())


@contextmanager
def _read_only(store: Store) -> Iterator[None]:
    """Make the database read-only, also for open sessions."""
    url = store.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with connect(url, autocommit=True) as admin:
        # A setting of the server reaches sessions that are open; one of the database only new ones.
        admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        admin.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            admin.execute("SET transaction_read_only = off")
            admin.execute("ALTER SYSTEM RESET default_transaction_read_only")
            admin.execute("SELECT pg_reload_conf()")
