"""Translate errors of the database into errors that name the problem and the fix."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from aggregator.domain.errors import StoreUnavailableError
from storage.engine.waiting import READ_ONLY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

# PostgreSQL errors caused by the state of the database, never by the values sent. The rest of class 42 (syntax error
# or access rule violation) means a bug in this program.
_UNUSABLE = frozenset({"42501", "42P01", "42703", "3F000", "3D000"})  # privilege, table, column, schema, database
_UNUSABLE_FILES = frozenset({"SQLITE_NOTADB", "SQLITE_CORRUPT"})


@contextmanager
def translating_errors(engine: Engine, *, reading: bool = False) -> Iterator[None]:
    """Translate errors caused by the database rather than the values into `StoreUnavailableError`."""
    try:
        yield
    except PoolTimeoutError as error:
        raise StoreUnavailableError("The database doesn't respond: all connections are in use.") from error
    except (OperationalError, InterfaceError, InternalError, NotSupportedError) as error:
        if reading and getattr(error.orig, "sqlstate", None) == READ_ONLY:
            raise  # a bug in this program: the transaction was opened read-only
        if _is_read_only(engine, error):
            raise StoreUnavailableError(_read_only_message(engine)) from error
        raise StoreUnavailableError(f"The database doesn't respond: {_reason(error)}.") from error
    except DatabaseError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state in _UNUSABLE or getattr(error.orig, "sqlite_errorname", "") in _UNUSABLE_FILES:
            raise StoreUnavailableError(f"The database can't be used: {_reason(error)}.") from error
        raise


def _is_read_only(engine: Engine, error: DBAPIError) -> bool:
    if engine.dialect.name != "sqlite":
        state = getattr(error.orig, "sqlstate", None)
        return state == READ_ONLY or _reason(error).endswith("session is read-only")
    name, file = getattr(error.orig, "sqlite_errorname", ""), Path(engine.url.database or "")
    return name.startswith("SQLITE_READONLY") or (
        # SQLite writes other files beside the database.
        name.startswith("SQLITE_CANTOPEN") and file.exists() and not os.access(file.parent, os.W_OK)
    )


def _read_only_message(engine: Engine) -> str:
    if engine.dialect.name != "sqlite":
        return (
            "The database is read-only: connect to the primary server, and remove 'default_transaction_read_only' "
            "from database and user."
        )
    return (
        f"The database {engine.url.database} is read-only: this user must be able to write to the file and to its "
        "folder, and the disk must not be mounted read-only."
    )


def _reason(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0].rstrip(".") if error.orig else type(error).__name__
