"""Watching: word of every change of the stream, at once where the database tells, and asked for where it does not."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from storage.tables import stream

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

_LISTENING = 1.0  # seconds after which the revision is read although nobody told: a connection may break unheard
_GATHERING = 0.02  # seconds in which what is told together is one word
_LOOKING = 0.1  # seconds between looks at an SQLite file
_AWAY = 0.5  # seconds before the next try to reach a database that does not answer


def watch(engine: Engine, stopping: threading.Event) -> Iterator[int | None]:
    """Give the newest revision again and again: soon after every change, and about once a second without one.

    None while the database does not answer. Ends soon after `stopping` is set. It holds a connection of its own.
    """
    told = _told if engine.dialect.name == "postgresql" else _looked
    while not stopping.is_set():
        try:
            with _alone(engine) as connection:
                for _ in told(connection, stopping):
                    yield connection.execute(select(stream.c.revision)).scalar_one()
                    connection.rollback()  # each look is a transaction of its own
        except DBAPIError:
            yield None
            stopping.wait(_AWAY)


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """Open a connection that is not given to anybody else afterwards: what it listens to would stay with it."""
    with engine.connect() as connection:
        try:
            yield connection
        finally:
            connection.invalidate()


def _told(connection: Connection, stopping: threading.Event) -> Iterator[None]:
    """Listen to PostgreSQL: give once at the beginning, at every word, and each second."""
    connection.execution_options(isolation_level="AUTOCOMMIT")
    connection.exec_driver_sql("LISTEN stream")
    driver: Any = connection.connection.driver_connection
    while not stopping.is_set():
        yield
        try:
            for _ in driver.notifies(timeout=_LISTENING, stop_after=1):
                stopping.wait(_GATHERING)
            for _ in driver.notifies(timeout=0):
                pass
        except psycopg.Error as problem:
            raise DBAPIError("LISTEN", None, problem, connection_invalidated=True) from problem


def _looked(connection: Connection, stopping: threading.Event) -> Iterator[None]:
    """Look at SQLite's counter of what other connections wrote; give when it moved, and each second."""
    last, rounds = None, 0
    while not stopping.is_set():
        version = connection.exec_driver_sql("PRAGMA data_version").scalar()
        connection.rollback()
        if version != last or rounds >= _LISTENING / _LOOKING:
            last, rounds = version, 0
            yield
        rounds += 1
        stopping.wait(_LOOKING)
