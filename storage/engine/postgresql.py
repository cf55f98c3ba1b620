"""Connect to PostgreSQL so that no call waits without limit and no connection outlives a failover.

Three things end a wait. The server cancels statements (`statement_timeout`, `lock_timeout`). The kernel gives up on a
peer that stopped acknowledging packets (`tcp_user_timeout`, keepalives). Against a server that acknowledges packets but
never answers, as one that is stopped or a proxy without a backend, only the client's own clock helps.
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

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from psycopg.abc import PQGen
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL, ExceptionContext
    from sqlalchemy.pool import ConnectionPoolEntry

RV = TypeVar("RV")

STATEMENT_LIMIT = 30.0  # seconds after which the server cancels a statement
_ANSWER_LIMIT = STATEMENT_LIMIT + 1  # seconds after which the client closes the connection
_LOCK_LIMIT = 10.0  # seconds to wait for a row or table lock
_IDLE_LIMIT = 60.0  # seconds that an open transaction may idle: a vanished client must not keep its locks
# Seconds for a pooled connection to prove that it works. Little is lost where a slow server takes longer: another
# connection is opened, which gets as long as connecting may take.
_PING_LIMIT = 0.5
_CONNECT_LIMIT = 3  # seconds for each address of the server
_POOL_LIMIT = 3.0  # seconds to wait for a free connection
_POOL_SIZE = 5  # connections kept by a process; its threads share them, and as many again for a rush
# Filter values are unevenly distributed, so a generic plan is a bad one for most of them. Parallel workers take longer
# to start than any of these queries takes.
_PLANNER = {"plan_cache_mode": "force_custom_plan", "max_parallel_workers_per_gather": 0}
_pinging: dict[int, float] = {}  # by thread: since when a pooled connection proves itself, monotonic
_PROVEN = "proven"  # in what the pool notes of a connection: it was used before
READ_ONLY = "25006"  # SQLSTATE
# The server ends the session or is not ready for it: the next connection may reach another node.
_SESSION_ENDED = frozenset({READ_ONLY, "57P01", "57P02", "57P03", "57P05", "25P03"})


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that gives up on a server that does not answer in time."""

    answer_limit: float = _ANSWER_LIMIT

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for one exchange with the server.

        Raises:
            psycopg.OperationalError: the server did not answer within `answer_limit` seconds; the connection is closed.
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
        """Apply another limit for a while."""
        before, self.answer_limit = self.answer_limit, seconds
        try:
            yield
        finally:
            self.answer_limit = before


def make_postgresql_engine(url: URL, *, pooled: bool, **options: Any) -> Engine:  # noqa: ANN401  # SQLAlchemy's own
    """Build an engine for PostgreSQL; nothing is connected yet.

    Args:
        url: the database; connection parameters in its query override the defaults here.
        pooled: whether to keep connections; without a pool each `connect` opens its own.
        options: further options of `sqlalchemy.create_engine`.
    """
    if pooled:
        options |= {"poolclass": QueuePool, "pool_size": _POOL_SIZE, "max_overflow": _POOL_SIZE}
        options |= {"pool_timeout": _POOL_LIMIT}
    else:
        options |= {"poolclass": NullPool}
    engine = create_engine(url, connect_args=_connect_args(url.query), **options)
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "checkout", _check_session)
    event.listen(engine, "handle_error", _mark_disconnect)
    return engine


def allow_long_statements(connection: Connection, seconds: float, lock_limit: float) -> None:
    """Raise the limits of one connection, for migrations; discard the connection afterwards."""
    for name, limit in (("statement_timeout", seconds), ("lock_timeout", lock_limit)):
        connection.exec_driver_sql(f"SET {name} = {int(limit * 1000)}")
    connection.exec_driver_sql("SET idle_in_transaction_session_timeout = 0")
    connection.commit()
    driver: Any = connection.connection.driver_connection
    driver.answer_limit = max(seconds, lock_limit) + 1


def _connect_args(query: Mapping[str, Any]) -> dict[str, Any]:
    session = {
        **_PLANNER,
        "timezone": "UTC",
        "statement_timeout": int(STATEMENT_LIMIT * 1000),
        "lock_timeout": int(_LOCK_LIMIT * 1000),
        "idle_in_transaction_session_timeout": int(_IDLE_LIMIT * 1000),
    }
    defaults = {
        "connect_timeout": _CONNECT_LIMIT,
        "keepalives_idle": 10,  # seconds of silence before the kernel probes the peer
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,  # milliseconds without an acknowledgement
        # Never a standby: it may lack the latest decisions, and show what is hidden.
        "target_session_attrs": "read-write",
        "application_name": "aggregator",
        "options": " ".join(f"-c {name}={value}" for name, value in session.items()),
    }
    return {name: value for name, value in defaults.items() if name not in query}


def _connect(_dialect: object, _record: object, args: Any, arguments: Any) -> BoundedConnection:  # noqa: ANN401
    """Open a connection of our class in place of the driver's own."""
    return BoundedConnection.connect(*args, **arguments)


def longest_ping() -> float:
    """Return for how many seconds some pooled connection has been due to prove that it works; 0 where none is."""
    return longest(_pinging)


def longest(waiting: Mapping[int, float]) -> float:
    """Return for how many seconds the thread waits that began first; 0 where none waits."""
    now = time.monotonic()
    return max((now - since for since in tuple(waiting.values())), default=0.0)


def _check_session(connection: BoundedConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Prove that a connection still reaches the primary before it is used.

    Raises:
        InvalidatePoolError: it does not, so no connection of the pool is trusted; the pool opens a new one.
    """
    thread = threading.get_ident()
    limit: float = _CONNECT_LIMIT
    if _PROVEN in record.info:
        limit, _pinging[thread] = _PING_LIMIT, time.monotonic()
    try:
        with connection.answering_within(limit):
            connection.autocommit = True
            read_only = connection.execute("SHOW transaction_read_only").fetchone()
            connection.autocommit = False
    except psycopg.Error as error:
        raise InvalidatePoolError(f"The connection is broken: {error}") from error
    finally:
        _pinging.pop(thread, None)
    if read_only == ("on",):
        raise InvalidatePoolError("The server became read-only.")
    record.info[_PROVEN] = True  # forgotten when the pool opens another connection in its place


def _mark_disconnect(context: ExceptionContext) -> None:
    """Have the pool discard its connections when the server ended the session or turned read-only."""
    state = getattr(context.original_exception, "sqlstate", None) or ""
    options = context.connection.get_execution_options() if context.connection is not None else {}
    if state == READ_ONLY and options.get("postgresql_readonly"):
        return  # a write within a transaction that was opened for reading
    if state in _SESSION_ENDED or state.startswith("08"):
        context.is_disconnect = True
