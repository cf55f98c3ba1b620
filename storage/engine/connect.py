"""Create engines for SQLite and PostgreSQL that behave alike, and the column type for times."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import DateTime, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool
from sqlalchemy.types import TypeDecorator

from aggregator.domain.errors import SettingsError, SetupError
from aggregator.system import private_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Dialect, Engine

_OLDEST_SQLITE = (3, 35, 0)  # RETURNING
_BUSY_TIMEOUT = 5000  # milliseconds that a SQLite writer waits for another


class UtcDateTime(TypeDecorator[datetime]):
    """A time: rejects naive values, and returns aware UTC on both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Reject a time without a zone; SQLite stores it in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"A time needs a time zone: {value!r}.")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[datetime | None], datetime | None]:
        """Return the function that converts values to UTC; called for every value, so the usual case comes first."""
        inner = self.impl_instance.result_processor(dialect, coltype)

        def read(value: datetime | None) -> datetime | None:
            if inner is not None:
                value = inner(value)
            if value is None or value.tzinfo is UTC:
                return value
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

        return read


def make_engine(url: str, *, pooled: bool = True, replica: bool = False) -> Engine:
    """Create the engine for a database URL; nothing is connected yet.

    Args:
        url: the database.
        pooled: whether to keep connections; without a pool each `connect` opens its own.
        replica: whether a standby is used, too.

    Raises:
        SettingsError: the URL is invalid.
        SetupError: Python's SQLite is too old.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(url, pooled=pooled)
        from storage.engine.postgresql import make_postgresql_engine  # imported late: SQLite needs no psycopg

        json: dict[str, Any] = {"json_serializer": _json, "json_deserializer": read_json}
        return make_postgresql_engine(parsed, pooled=pooled, replica=replica, **json)
    except (ValueError, ImportError, AttributeError) as problem:
        raise SettingsError(f"AGGREGATOR_DATABASE_URL is invalid: {type(problem).__name__}.") from None


def _json(value: object) -> str:
    """Serialize JSON, with times, in a third of the standard library's time."""
    return msgspec.json.encode(value).decode()


def read_json(text: str | bytes) -> Any:  # noqa: ANN401  # any JSON
    """Parse stored JSON; fall back to the standard library, which accepts more."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:  # a lone surrogate or a number out of range, from rows of former versions
        return json.loads(text)


_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    f"busy_timeout={_BUSY_TIMEOUT}",
    "foreign_keys=ON",
    "secure_delete=ON",  # removed content must not stay readable in the file
)


def _sqlite(url: str, *, pooled: bool) -> Engine:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise SetupError(f"SQLite {sqlite3.sqlite_version} is too old; 3.35 or newer is needed.")
    options: dict[str, Any] = {} if pooled else {"poolclass": NullPool}
    engine = create_engine(
        url,
        json_serializer=_json,
        json_deserializer=read_json,
        connect_args={"timeout": _BUSY_TIMEOUT / 1000},
        **options,
    )

    @event.listens_for(engine, "do_connect")
    def _create_for_its_owner_alone(*_: object) -> None:
        database = engine.url.database
        if database and database != ":memory:" and not database.startswith("file:"):
            private_files.make_file(Path(database))

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: object) -> None:  # noqa: ANN401  # the driver's own connection
        connection.isolation_level = None  # BEGIN is sent explicitly, see `begin`
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Under a plain BEGIN, a transaction that reads and then writes fails if another writer committed in between. So
        # writers take the lock at the start and wait for it (busy_timeout).
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine
