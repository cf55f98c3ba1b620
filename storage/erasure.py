"""Erase removed words from the files of SQLite: an UPDATE alone leaves them in the index and in the write-ahead log.

`PRAGMA secure_delete` zeroes what is freed in the database file. The full-text index only marks deleted entries until
its segments are merged, and the write-ahead log keeps old pages until it is truncated.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

# Where SQLite keeps a number for applications: 1 while the files may hold removed words. It is part of the database, so
# any process that writes next takes the erasure up where another one could not finish it.
_MARK = "PRAGMA user_version"
_PAGES = 500  # of the index for one step, so that other writers get their turn
_BUSY = 100  # milliseconds to wait for readers in one try
_RETRY = 0.05  # seconds between two tries
_FINISHED = 2  # changes below which a merge had nothing left to do, by SQLite's documentation


def mark(connection: Connection) -> None:
    """Note that this transaction removes content that must not be left readable in any file."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"{_MARK} = 1")


def is_marked(connection: Connection) -> bool:
    """Return whether this or an earlier transaction removed content that is not erased yet."""
    return connection.dialect.name == "sqlite" and bool(connection.exec_driver_sql(_MARK).scalar())


def erase(engine: Engine, within: float) -> bool:
    """Erase what was removed and committed; return False where readers kept the log in use for `within` seconds."""
    deadline = time.monotonic() + within
    connection = engine.raw_connection()
    driver: Any = connection.driver_connection
    try:
        while True:
            if _try_to_erase(driver):
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(_RETRY)
    finally:
        connection.invalidate()  # with its busy timeout
        connection.close()


def _try_to_erase(driver: Any) -> bool:  # noqa: ANN401  # the driver's own connection
    driver.execute(f"PRAGMA busy_timeout={_BUSY}")
    try:
        _merge_index(driver)
        busy: int = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if not busy:
            driver.execute(f"{_MARK} = 0")
    except driver.OperationalError:  # another writer is at work
        return False
    return not busy


def _merge_index(driver: Any) -> None:  # noqa: ANN401
    """Merge the index into one segment, which drops deleted entries."""
    pages, before = -_PAGES, driver.total_changes
    while True:
        driver.execute("INSERT INTO activity_words (activity_words, rank) VALUES ('merge', ?)", (pages,))
        pages, after = _PAGES, driver.total_changes
        if after - before < _FINISHED:
            return
        before = after
