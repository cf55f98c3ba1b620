"""Connect to PostgreSQL with bounded waits and connections that don't outlive a failover.

Three mechanisms bound a wait. The server cancels statements (`statement_timeout`, `lock_timeout`). The kernel gives up
on a peer that stops acknowledging packets (`tcp_user_timeout`, keepalives). The client's own timeout covers a server
that acknowledges packets but never answers, such as a stopped one or a proxy without a backend.

A pooler such as PgBouncer in transaction mode gives each transaction another session of the server. It is recognized by
the session's process id, which is not the one announced at the start. Nothing of a session is used then: no prepared
statements, and every transaction sets its own limits.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg.errors import _WaitTimeout
from sqlalchemy import create_engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import NullPool, QueuePool

from storage.engine.waiting import READ_ONLY, pinging

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from psycopg.abc import PQGen
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL, ExceptionContext
    from sqlalchemy.pool import ConnectionPoolEntry

RV = TypeVar("RV")

STATEMENT_LIMIT = 30.0  # seconds until the server cancels a statement
_ANSWER_LIMIT = STATEMENT_LIMIT + 1  # seconds until the client closes the connection
_LOCK_LIMIT = 10.0  # seconds to wait for a row or table lock
_IDLE_LIMIT = 60.0  # seconds that an open transaction may idle: a vanished client must not keep its locks
# Seconds for the check of a pooled connection. A slow server costs little: another connection is opened, which gets the
# full connect timeout.
_PING_LIMIT = 0.5
_CONNECT_LIMIT = 3  # seconds for each address of the server
_NO_OPTIONS = "unsupported startup parameter"  # PgBouncer's words
_POOL_LIMIT = 3.0  # seconds to wait for a free connection
_POOL_SIZE = 5  # connections per process, shared by its threads; the overflow allows as many again
# Filter values are unevenly distributed, so a generic plan is bad for most of them. Parallel workers take longer to
# start than any of these queries.
_PLANNER = {"plan_cache_mode": "force_custom_plan", "max_parallel_workers_per_gather": 0}
_PROVEN = "proven"  # in the pool's connection info: the connection was used before
# The server ended the session or isn't ready for it: the next connection may reach another node.
_SESSION_ENDED = frozenset({READ_ONLY, "57P01", "57P02", "57P03", "57P05", "25P03"})


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that closes if the server doesn't answer in time."""

    answer_limit: float = _ANSWER_LIMIT
    is_pooled: bool = False  # a pooler is between
    own_settings: Mapping[str, object] | None = None  # that each transaction sets; None: those of the session apply

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for one exchange with the server.

        Raises:
            psycopg.OperationalError: the server didn't answer within `answer_limit` seconds; the connection is closed.
        """
        if timeout is not None:  # the caller expects silence, as `notifies` does
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.answer_limit)
        except _WaitTimeout as error:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {self.answer_limit:g} s") from error

    @contextmanager
    def answering_within(self, seconds: float) -> Iterator[None]:
        """Apply another limit temporarily."""
        before, self.answer_limit = self.answer_limit, seconds
        try:
            yield
        finally:
            self.answer_limit = before


def make_postgresql_engine(
    url: URL,
    *,
    pooled: bool,
    replica: bool = False,
    **options: Any,  # noqa: ANN401  # SQLAlchemy's own
) -> Engine:
    """Create an engine for PostgreSQL; nothing is connected yet.

    Args:
        url: the database; connection parameters in its query override these defaults.
        pooled: whether to keep connections; without a pool each `connect` opens its own.
        replica: whether a standby is used, too.
        options: further options of `sqlalchemy.create_engine`.
    """
    if pooled:
        options |= {"poolclass": QueuePool, "pool_size": _POOL_SIZE, "max_overflow": _POOL_SIZE}
        options |= {"pool_timeout": _POOL_LIMIT}
    else:
        options |= {"poolclass": NullPool}
    engine = create_engine(url, connect_args=_connect_args(url.query, replica=replica), **options)
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "checkout", _check_replica if replica else _check_primary)
    event.listen(engine, "begin", _set_own_settings)
    event.listen(engine, "handle_error", _mark_disconnect)
    return engine


def allow_long_statements(connection: Connection, seconds: float, lock_limit: float) -> None:
    """Raise the limits of the next transactions of one connection, for migrations; discard it afterwards."""
    driver = _driver_of(connection)
    limits = {"statement_timeout": int(seconds * 1000), "lock_timeout": int(lock_limit * 1000)}
    driver.own_settings = {**(driver.own_settings or {}), **limits, "idle_in_transaction_session_timeout": 0}
    driver.answer_limit = max(seconds, lock_limit) + 1


def is_pooled(connection: Connection) -> bool:
    """Return whether a pooler is between, so that a session lasts no longer than a transaction."""
    return _driver_of(connection).is_pooled


_SESSION: Mapping[str, object] = {
    **_PLANNER,
    "timezone": "UTC",
    "statement_timeout": int(STATEMENT_LIMIT * 1000),
    "lock_timeout": int(_LOCK_LIMIT * 1000),
    "idle_in_transaction_session_timeout": int(_IDLE_LIMIT * 1000),
}


def _connect_args(query: Mapping[str, Any], *, replica: bool) -> dict[str, Any]:
    defaults = {
        "connect_timeout": _CONNECT_LIMIT,
        "keepalives_idle": 10,  # seconds of silence before the kernel probes the peer
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,  # milliseconds without an acknowledgement
        # Never a standby, unless its revision is compared: it may lack the latest decisions, and so show hidden items.
        "target_session_attrs": "prefer-standby" if replica else "read-write",
        "application_name": "aggregator",
        "options": " ".join(f"-c {name}={value}" for name, value in _SESSION.items()),
    }
    return {name: value for name, value in defaults.items() if name not in query}


def _connect(_dialect: object, _record: object, args: Any, arguments: Any) -> BoundedConnection:  # noqa: ANN401
    """Open a connection of our class instead of the driver's, and detect a pooler or a standby."""
    try:
        connection = BoundedConnection.connect(*args, **arguments)
    except psycopg.OperationalError as problem:
        if _NO_OPTIONS not in str(problem):
            raise
        arguments.pop("options", None)  # for all connections of this engine, so that the next ones don't fail first
        connection = BoundedConnection.connect(*args, **arguments)
    connection.autocommit = True
    [process] = connection.execute("SELECT pg_backend_pid()", prepare=False).fetchone() or [0]
    connection.autocommit = False
    connection.is_pooled = process != connection.info.backend_pid
    if connection.is_pooled:
        connection.prepare_threshold = None
    if connection.is_pooled or "options" not in arguments:
        connection.own_settings = _SESSION
    return connection


def _set_own_settings(connection: Connection) -> None:
    """Set the limits of a transaction that its session doesn't have."""
    driver = _driver_of(connection)
    if driver.own_settings is None or (driver.autocommit and driver.is_pooled):
        return
    is_local = "false" if driver.autocommit else "true"
    calls = (f"set_config('{name}', '{value}', {is_local})" for name, value in driver.own_settings.items())
    connection.exec_driver_sql(f"SELECT {', '.join(calls)}")


def _driver_of(connection: Connection) -> BoundedConnection:
    driver = connection.connection.driver_connection
    if not isinstance(driver, BoundedConnection):
        raise TypeError("This is no connection to PostgreSQL.")
    return driver


def _check_primary(connection: BoundedConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Check that a connection still reaches the primary before it is used.

    Raises:
        InvalidatePoolError: it doesn't; the pool discards all its connections and opens a new one.
    """
    if _is_read_only(connection, record):
        raise InvalidatePoolError("The server became read-only.")


def _check_replica(connection: BoundedConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Check that a connection still reaches a server before it is used.

    Raises:
        InvalidatePoolError: it doesn't; the pool discards all its connections and opens a new one.
    """
    _is_read_only(connection, record)


def _is_read_only(connection: BoundedConnection, record: ConnectionPoolEntry) -> bool:
    thread = threading.get_ident()
    limit: float = _CONNECT_LIMIT
    if _PROVEN in record.info:
        limit, pinging[thread] = _PING_LIMIT, time.monotonic()
    try:
        with connection.answering_within(limit):
            connection.autocommit = True
            read_only = connection.execute("SHOW transaction_read_only").fetchone()
            connection.autocommit = False
    except psycopg.Error as error:
        raise InvalidatePoolError(f"The connection is broken: {error}") from error
    finally:
        pinging.pop(thread, None)
    record.info[_PROVEN] = True  # reset when the pool opens another connection in its place
    return read_only == ("on",)


def _mark_disconnect(context: ExceptionContext) -> None:
    """Make the pool discard its connections if the server ended the session or became read-only."""
    state = getattr(context.original_exception, "sqlstate", None) or ""
    options = context.connection.get_execution_options() if context.connection is not None else {}
    if state == READ_ONLY and options.get("postgresql_readonly"):
        return  # a write within a read-only transaction
    if state in _SESSION_ENDED or state.startswith("08"):
        context.is_disconnect = True
