"""Watch the stream's revision: by notification on PostgreSQL, by polling the file's change counter on SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from storage.engine.connect import make_engine
from storage.tables.stream import stream

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

_LISTEN = 1.0  # seconds until the revision is read without a notification: a connection may break silently
_COALESCE = 0.02  # seconds within which notifications are merged
_LOOK = 0.1  # seconds between reads of SQLite's change counter
_RETRY = 0.5  # seconds between attempts to reach a database that doesn't respond
_ANSWER_LIMIT = 2.0  # seconds for the server to respond; reading one row takes less than a millisecond


def watch(url: str, stopping: threading.Event) -> Iterator[int | None]:
    """Yield the newest revision soon after every change, and once a second without one.

    Yields None while the database doesn't respond or is read-only. Ends soon after `stopping` is set. The connection is
    outside the pool: its LISTEN would stay with a pooled one, and a full pool must not block it.
    """
    engine = make_engine(url, pooled=False)
    while not stopping.is_set():
        try:
            with engine.connect() as connection:
                try:
                    yield from _revisions(engine, connection, stopping)
                except SQLAlchemyError:
                    connection.invalidate()  # a broken connection can't be reset, and the pool would log that
                    raise
        except SQLAlchemyError:
            yield None
            stopping.wait(_RETRY)


def _revisions(engine: Engine, connection: Connection, stopping: threading.Event) -> Iterator[int]:
    postgresql = engine.dialect.name == "postgresql"
    wake_ups = _notified if postgresql else _changed
    for _ in wake_ups(connection, stopping):
        if postgresql and connection.exec_driver_sql("SHOW transaction_read_only").scalar_one() == "on":
            raise SQLAlchemyError("The server became read-only.")
        yield connection.execute(select(stream.c.revision)).scalar_one()
        connection.rollback()  # each read is a transaction of its own


def _notified(connection: Connection, stopping: threading.Event) -> Iterator[None]:
    """Yield once at the start, at every notification of PostgreSQL, and each second."""
    driver: Any = connection.connection.driver_connection
    driver.answer_limit = _ANSWER_LIMIT
    connection.execution_options(isolation_level="AUTOCOMMIT")
    connection.exec_driver_sql("LISTEN stream")
    while not stopping.is_set():
        yield
        try:
            for _ in driver.notifies(timeout=_LISTEN, stop_after=1):
                stopping.wait(_COALESCE)
            for _ in driver.notifies(timeout=0):
                pass
        except psycopg.Error as error:
            raise DBAPIError("LISTEN", None, error, connection_invalidated=True) from error


def _changed(connection: Connection, stopping: threading.Event) -> Iterator[None]:
    """Yield when another connection wrote to the SQLite file, and each second."""
    last, rounds = None, 0
    while not stopping.is_set():
        version = connection.exec_driver_sql("PRAGMA data_version").scalar()
        connection.rollback()
        if version != last or rounds >= _LISTEN / _LOOK:
            last, rounds = version, 0
            yield
        rounds += 1
        stopping.wait(_LOOK)
