"""Erase removed content from SQLite's files: an UPDATE leaves it in the full-text index and the write-ahead log.

`PRAGMA secure_delete` zeroes freed pages of the database file. The full-text index only marks deleted entries until
its segments are merged, and the write-ahead log keeps old pages until it is truncated.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

# A number that SQLite reserves for applications; here it counts removals not yet erased from the files. It is stored in
# the database, so the next writing process continues an erasure that another process could not finish.
_MARK = "PRAGMA user_version"
_PAGES = 500  # of the index per step, so that other writers aren't blocked
_BUSY = 100  # milliseconds to wait for readers per attempt
_RETRY = 0.05  # seconds between attempts
_FINISHED = 2  # SQLite's documentation: fewer changes mean that a merge had nothing left to do


def mark(connection: Connection) -> None:
    """Record that this transaction removes content that must not stay readable in any file."""
    if connection.dialect.name == "sqlite":
        pending = connection.exec_driver_sql(_MARK).scalar() or 0
        connection.exec_driver_sql(f"{_MARK} = {pending + 1}")


def is_marked(connection: Connection) -> bool:
    """Return whether this or an earlier transaction removed content that is not erased yet."""
    return connection.dialect.name == "sqlite" and bool(connection.exec_driver_sql(_MARK).scalar())


def erase(engine: Engine, within: float) -> bool:
    """Erase removed, committed content; return False if readers kept the log in use for `within` seconds."""
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
        pending = _pending(driver)
        _merge_index(driver)
        busy: int = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            return False
        if pending:
            _clear_mark(driver, pending)
    except driver.OperationalError:  # another process is writing
        return False
    return True


def _pending(driver: Any) -> int:  # noqa: ANN401
    pending: int = driver.execute(_MARK).fetchone()[0]
    return pending


def _clear_mark(driver: Any, pending: int) -> None:  # noqa: ANN401
    """Clear the mark, unless another process removed more in the meantime."""
    driver.execute("BEGIN IMMEDIATE")
    try:
        if _pending(driver) == pending:
            driver.execute(f"{_MARK} = 0")
    finally:
        driver.execute("COMMIT")


def _merge_index(driver: Any) -> None:  # noqa: ANN401
    """Merge the index into one segment, which drops deleted entries."""
    pages, before = -_PAGES, driver.total_changes
    while True:
        driver.execute("INSERT INTO activity_words (activity_words, rank) VALUES ('merge', ?)", (pages,))
        pages, after = _PAGES, driver.total_changes
        if after - before < _FINISHED:
            return
        before = after
