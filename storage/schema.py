"""Upgrade the database schema, or describe how it differs from the code's."""

from __future__ import annotations

import fcntl
import random
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import inspect, select, text
from sqlalchemy.exc import OperationalError

from aggregator.domain.errors import NewerSchemaError, SchemaError, SetupError
from aggregator.system import private_files
from storage.engine import upsert
from storage.tables.migrations import schema_compatibility
from storage.tables.stream import stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from alembic.config import Config
    from sqlalchemy import Connection, Engine

_LOCK_WAIT = 6 * 3600.0  # seconds to wait for another process that migrates
_LOCK_RETRY = 0.2  # seconds between attempts
_ATTEMPTS = 120  # to lock tables that are in use
_PAUSE = 1.0, 3.0  # seconds between them
_LOCK_NOT_AVAILABLE = "55P03"  # SQLSTATE
_MIGRATIONS = Path(__file__).with_name("migrations")
_LOCK = 7_391_508_224  # arbitrary, but the same in all our processes


@cache
def _known() -> tuple[str, ...]:
    """Return every revision that this version knows, oldest first; each file's name starts with its number.

    Alembic isn't asked, since importing it takes longer than most commands.
    """
    return tuple(sorted(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py")))


def configuration(engine: Engine) -> Config:
    """Return the Alembic configuration for an engine."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["engine"] = engine
    return config


def current(engine: Engine) -> str | None:
    """Return the revision of the database's schema; None for an empty database."""
    with engine.connect().execution_options(postgresql_readonly=True) as connection:  # it may be a replica
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def newest() -> str:
    """Return the revision that the code requires."""
    if not _known():
        raise SchemaError("This installation has no migrations; reinstall it.")
    return _known()[-1]


def migrate(engine: Engine, authority: str, today: date) -> list[str]:
    """Upgrade to the newest schema under a lock; return the applied revisions, if any.

    A newer schema that this code can use stays as it is.

    On the first run, `authority` and `today` become the permanent authority and date of `tag:` ids.

    Raises:
        SchemaError: the database is newer than the code, and the code can't use it.
    """
    with _lock(engine):
        before = current(engine)
        if before is not None and before not in _known():
            _check_newer(engine, before)
            return []
        applied = [revision for revision in _known() if revision > (before or "")]
        if applied:
            _upgrade(engine)
        _begin_stream(engine, authority, today)
        return applied


def _upgrade(engine: Engine) -> None:
    """Apply the migrations, each in its own transaction; one that can't lock a table at once is tried again."""
    from alembic import command

    for attempt in range(_ATTEMPTS):
        try:
            command.upgrade(configuration(engine), "head")
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE or attempt == _ATTEMPTS - 1:
                raise
            sleep(random.uniform(*_PAUSE))  # noqa: S311  # no secret
        else:
            return


def _begin_stream(engine: Engine, authority: str, today: date) -> None:
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        connection.execute(
            upsert.statement(connection, stream, index=["id"], changing=[]),
            [
                {
                    "id": 1,
                    "revision": 0,
                    "tag_authority": authority,
                    "tag_date": today.isoformat(),
                    "instance": uuid4().hex,
                }
            ],
        )


def check(engine: Engine, *, exact: bool = False) -> None:
    """Check that the code can use the schema: it is the code's, or a newer one that is compatible with it.

    Args:
        engine: the database.
        exact: whether a newer one is refused as well, since all its tables must be known.

    Raises:
        SchemaError: it can't; the message has the fix.
    """
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    if file and not Path(file).exists():  # connecting would create an empty file
        raise SchemaError(f"There is no database at {file}, so no schema yet; run 'aggregator migrate'.")
    before = current(engine)
    if before is None:
        raise SchemaError("The database has no schema yet; run 'aggregator migrate'.")
    if before not in _known():
        _check_newer(engine, before, exact=exact)
    elif before != newest():
        raise SchemaError(
            f"The database's schema ({before}) is older than this version needs ({newest()}); run 'aggregator migrate'."
        )


def _check_newer(engine: Engine, before: str, *, exact: bool = False) -> None:
    """Check that this code can use a schema that it doesn't know.

    Raises:
        NewerSchemaError: it can't.
    """
    oldest = _oldest_code(engine, before)
    if exact or oldest is None or oldest > newest():
        raise NewerSchemaError(
            f"The database's schema ({before}) is newer than this version of the program, whose newest is "
            f"{newest()}; run the version that made it, or a later one."
        )


def _oldest_code(engine: Engine, before: str) -> str | None:
    """Return the newest revision that code must know to use a schema; None: unknown."""
    with engine.connect() as connection:
        if not inspect(connection).has_table(schema_compatibility.name):
            return None
        rows = connection.execute(select(schema_compatibility.c.revision, schema_compatibility.c.oldest_code))
        oldest = {row.revision: row.oldest_code for row in rows}
        return max(oldest.values()) if before in oldest else None


def _take_lock(connection: Connection) -> None:
    """Take the lock of a transaction that stays open, since a pooler may give each transaction another session.

    A statement that waits for the lock would have a snapshot, for which new indexes wait. Between statements an open
    transaction has none, unless the last one had parameters: PostgreSQL keeps its portal, and so its snapshot.

    Raises:
        SetupError: another process has held it for hours.
    """
    from storage.engine.postgresql import allow_long_statements  # imported late: SQLite needs no psycopg

    deadline = monotonic() + _LOCK_WAIT
    while True:
        allow_long_statements(connection, _LOCK_WAIT, lock_limit=_LOCK_WAIT)
        if connection.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock({_LOCK})").scalar():
            return
        connection.rollback()
        if monotonic() > deadline:
            raise SetupError("Another process has been migrating the database for hours; end it, and try again.")
        sleep(_LOCK_RETRY)


@contextmanager
def _lock(engine: Engine) -> Iterator[None]:
    """Serialize migrations; other processes wait."""
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            _take_lock(connection)
            try:
                yield
            finally:
                connection.invalidate()  # ends the transaction and so its lock, and discards its long limits
        return
    database = engine.url.database
    if not database or database == ":memory:":
        yield
        return
    path = Path(database)
    with ExitStack() as stack:
        try:
            private_files.make_folder(path.parent)
            private_files.tighten_database(path)
            lock = path.with_name(path.name + ".migrating")
            file = stack.enter_context(open(lock, "w", opener=private_files.opener))  # Path.open takes no opener
        except OSError as problem:
            raise SetupError(
                f"The folder {path.parent} can't be written: {problem.strerror}. Make it writable, or set "
                "AGGREGATOR_DATA_DIR or AGGREGATOR_DATABASE_URL to another place."
            ) from None
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
