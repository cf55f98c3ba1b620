"""Watch the stream's revision: by notification on PostgreSQL, else by looking often.

On SQLite that is the file's change counter. A pooler in front of PostgreSQL loses notifications, since they belong to a
session: without a direct address, the revision itself is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from aggregator.domain.stream import StreamNews
from storage.engine.connect import make_engine
from storage.revision import Stream

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine

    from aggregator.domain.stream import StreamMark

_POLL = 0.25  # seconds between reads of the revision through a pooler, which passes no notifications on
_LISTEN = 1.0  # seconds until the revision is read without a notification: a connection may break silently
_COALESCE = 0.02  # seconds within which notifications are merged
_LOOK = 0.1  # seconds between reads of SQLite's change counter
_RETRY = 0.5  # seconds between attempts to reach a database that doesn't respond
_ANSWER_LIMIT = 2.0  # seconds for the server to respond; reading one row takes less than a millisecond


def watch(url: str, stopping: threading.Event) -> Iterator[StreamNews | None]:
    """Yield the newest revision soon after every change, and once a second without one.

    Each revision is yielded together with whether items were edited or removed. A reader that loses the database right
    after the revision must know whether its cached responses are still valid. Yields None while the database doesn't
    respond or is read-only. Ends soon after `stopping` is set. The connection is outside the pool: its LISTEN would
    stay with a pooled one, and a full pool must not block it.
    """
    engine = make_engine(url, pooled=False)
    following = Following()
    while not stopping.is_set():
        try:
            with engine.connect() as connection:
                try:
                    yield from _news(engine, connection, stopping, following)
                except SQLAlchemyError:
                    connection.invalidate()  # a broken connection can't be reset, and the pool would log that
                    raise
        except SQLAlchemyError:
            yield None
            stopping.wait(_RETRY)


class Following:
    """Compares the stream with its state before, also across connections."""

    def __init__(self) -> None:
        self._former: StreamMark | None = None
        self._altered = 0

    def news(self, state: Stream) -> StreamNews:
        """Read the state of the stream."""
        former, mark = self._former, state.mark()
        if former is None or mark.revision < former.revision:  # the database was restored
            self._altered = mark.revision
        elif mark.revision > former.revision:
            self._altered = max(self._altered, state.altered(former))
        self._former = mark
        return StreamNews(mark.revision, None if former is None else self._altered)


def _news(
    engine: Engine, connection: Connection, stopping: threading.Event, following: Following
) -> Iterator[StreamNews]:
    postgresql = engine.dialect.name == "postgresql"
    for _ in _wake_ups(connection)(connection, stopping):
        if postgresql and connection.exec_driver_sql("SHOW transaction_read_only").scalar_one() == "on":
            raise SQLAlchemyError("The server became read-only.")
        news = following.news(Stream(connection))
        connection.rollback()  # each read is a transaction of its own
        yield news


def _wake_ups(connection: Connection) -> Callable[[Connection, threading.Event], Iterator[None]]:
    if connection.dialect.name != "postgresql":
        return _changed
    from storage.engine.postgresql import is_pooled  # imported late: SQLite needs no psycopg

    return _polled if is_pooled(connection) else _notified


def _polled(connection: Connection, stopping: threading.Event) -> Iterator[None]:
    """Yield every quarter of a second."""
    driver: Any = connection.connection.driver_connection
    driver.answer_limit = _ANSWER_LIMIT
    while not stopping.is_set():
        yield
        stopping.wait(_POLL)


def _notified(connection: Connection, stopping: threading.Event) -> Iterator[None]:
    """Yield once at the start, at every notification of PostgreSQL, and each second."""
    import psycopg  # imported late: SQLite needs no psycopg

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
