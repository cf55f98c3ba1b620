"""Upgrade the database schema, or describe how it differs from the code's."""

from __future__ import annotations

import fcntl
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import inspect, text

from aggregator.domain.errors import SchemaError, SetupError
from aggregator.system import private_files
from storage.engine import upsert
from storage.tables.stream import stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from alembic.config import Config
    from sqlalchemy import Engine

MIGRATION_LIMIT = 600.0  # seconds per statement of a migration, and to wait for another migration
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

    On the first run, `authority` and `today` become the permanent authority and date of `tag:` ids.

    Raises:
        SchemaError: the database is newer than the code.
    """
    with _lock(engine):
        before = current(engine)
        _refuse_newer(before)
        applied = [revision for revision in _known() if revision > (before or "")]
        if applied:
            from alembic import command

            command.upgrade(configuration(engine), "head")
        _begin_stream(engine, authority, today)
        return applied


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


def check(engine: Engine) -> None:
    """Check that the schema is the one that the code requires.

    Raises:
        SchemaError: it isn't; the message has the fix.
    """
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    if file and not Path(file).exists():  # connecting would create an empty file
        raise SchemaError(f"There is no database at {file}, so no schema yet; run 'aggregator migrate'.")
    before = current(engine)
    if before is None:
        raise SchemaError("The database has no schema yet; run 'aggregator migrate'.")
    _refuse_newer(before)
    if before != newest():
        raise SchemaError(
            f"The database's schema ({before}) is older than this version needs ({newest()}); run 'aggregator migrate'."
        )


def _refuse_newer(before: str | None) -> None:
    if before is not None and before not in _known():
        raise SchemaError(
            f"The database's schema ({before}) is newer than this version of the program, whose newest is "
            f"{newest()}; run the version that made it, or a later one."
        )


@contextmanager
def _lock(engine: Engine) -> Iterator[None]:
    """Serialize migrations; other processes wait."""
    if engine.dialect.name == "postgresql":
        from storage.engine.postgresql import allow_long_statements  # imported late: SQLite needs no psycopg

        with engine.connect() as connection:
            allow_long_statements(connection, MIGRATION_LIMIT, lock_limit=MIGRATION_LIMIT)
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
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
