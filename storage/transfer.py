"""Write a whole database as a stream of lines, and read it into another one, on SQLite or PostgreSQL.

The lines are JSON: a header, then for each table its name and columns, and a list of values per row, in the order of
the primary key. The last line has the SHA-256 of all others. The same content gives the same bytes on both databases,
so a copy is proven by writing it again. Tables that triggers fill are left out.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, LargeBinary, Text, delete, func, insert, select, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, StatementError

from aggregator.domain.errors import BadRequestError
from storage import schema
from storage.engine.connect import UtcDateTime, make_engine
from storage.tables.metadata import metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Column, Connection, Engine, Table

FORMAT = 1
_FILLED_BY_TRIGGERS = frozenset({"activity_tag"})
_KEPT = frozenset({"audit"})  # append-only, and empty in a new database
_ROWS = 500  # per statement
_LONGEST_LINE = 64 * 1024 * 1024  # bytes
_SURROGATE, _UNSTORABLE = re.compile("[\ud800-\udfff]"), re.compile("[\0\ud800-\udfff]")
_LIMIT = 24 * 3600.0  # seconds for a statement


def dump(engine: Engine, write: Callable[[bytes], object]) -> dict[str, int]:
    """Write the content of a database as it is at one moment; return the number of rows by table.

    Raises:
        SchemaError: the schema is not that of the code.
    """
    schema.check(engine, exact=True)
    with _connected(engine, isolation_level="REPEATABLE READ") as connection, connection.begin():
        return _dump(connection, write)


def load(engine: Engine, read_line: Callable[[int], bytes]) -> dict[str, int]:
    """Read a stream into a database without sources, and prove that it has the same content; return rows by table.

    Nothing is stored unless all is well.

    Args:
        engine: a migrated database.
        read_line: returns the next line, up to a number of bytes; b"" at the end.

    Raises:
        SchemaError: the schema is not that of the code.
        BadRequestError: the stream is damaged or of another version, or the database is in use.
    """
    schema.check(engine, exact=True)
    with _connected(engine) as connection, connection.execution_options(writing=True).begin():
        _lock(connection)
        _check_empty(connection)
        for table in reversed(_tables()):
            if table.name not in _KEPT:
                connection.execute(delete(table))
        digest = _load(connection, _Lines(read_line))
        _set_sequences(connection)
        seen = hashlib.sha256()
        rows = _dump(connection, lambda line: None if line.startswith(b'{"end"') else seen.update(line))
        if seen.hexdigest() != digest:
            raise BadRequestError("The copy differs from the export, so nothing was stored.")
        return rows


@contextmanager
def _connected(engine: Engine, **options: str) -> Iterator[Connection]:
    """Open a connection without limits for statements, apart from the engine's pool."""
    postgresql = engine.dialect.name == "postgresql"
    own = make_engine(engine.url.render_as_string(hide_password=False), pooled=False)
    try:
        with own.connect() as connection:
            if postgresql:
                from storage.engine.postgresql import allow_long_statements  # imported late: SQLite needs no psycopg

                allow_long_statements(connection, _LIMIT, _LIMIT)
            yield connection.execution_options(**options) if postgresql else connection
    finally:
        own.dispose()


def _tables() -> list[Table]:
    """Return the tables, those that others refer to first."""
    return [table for table in metadata.sorted_tables if table.name not in _FILLED_BY_TRIGGERS]


def _dump(connection: Connection, write: Callable[[bytes], object]) -> dict[str, int]:
    seen, rows = hashlib.sha256(), dict[str, int]()

    def put(value: object) -> None:
        line = _line(value)
        seen.update(line)
        write(line)

    put({"format": FORMAT, "schema": schema.newest()})
    for table in _tables():
        put({"table": table.name, "columns": [column.name for column in table.columns]})
        encoders = [_encoder(column) for column in table.columns]
        rows[table.name] = 0
        for row in _rows(connection, table):
            put([encode(value) for encode, value in zip(encoders, row, strict=True)])
            rows[table.name] += 1
    write(json.dumps({"end": sum(rows.values()), "sha256": seen.hexdigest()}).encode() + b"\n")
    return rows


def _line(value: object) -> bytes:
    """Return a line; characters that PostgreSQL can't store, in rows of former versions, become U+FFFD."""
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    if "\\u0000" in written or _SURROGATE.search(written):
        written = json.dumps(_storable(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return written.encode() + b"\n"


def _storable(value: Any) -> Any:  # noqa: ANN401  # any JSON
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_storable(name): _storable(each) for name, each in value.items()}
    return [_storable(each) for each in value] if isinstance(value, list) else value


def _rows(connection: Connection, table: Table) -> Iterator[Any]:
    """Yield rows in the order of their primary keys, texts by code point, on both databases."""
    bytewise = connection.dialect.name == "postgresql"
    order = [key.collate("C") if bytewise and isinstance(key.type, Text) else key for key in table.primary_key]
    chosen = select(table).order_by(*order)
    yield from connection.execution_options(yield_per=_ROWS).execute(chosen)


class _Lines:
    """The lines of a stream, with its digest so far."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self.digest = hashlib.sha256()

    def next(self) -> Any:  # noqa: ANN401  # any JSON
        """Return the next line.

        Raises:
            BadRequestError: it is malformed, too long, or missing.
        """
        line = self._read(_LONGEST_LINE + 1)
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            raise BadRequestError("The export is damaged or incomplete.") from None
        if not (isinstance(value, dict) and "end" in value):
            self.digest.update(line)
        return value


def _load(connection: Connection, lines: _Lines) -> str:
    """Store the rows of a stream; return its digest."""
    head = lines.next()
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise BadRequestError("This is no export of this program.")
    if head.get("schema") != schema.newest():
        raise BadRequestError(
            f"The export has the schema {head.get('schema')!r}, but this version has {schema.newest()!r}; export and "
            "import with the same version."
        )
    line = lines.next()
    for table in _tables():
        columns = list(table.columns)
        if line != {"table": table.name, "columns": [column.name for column in columns]}:
            raise BadRequestError(f"The export is damaged: the table {table.name} was expected.")
        decoders = [(column.name, _decoder(column)) for column in columns]
        batch: list[dict[str, Any]] = []
        while isinstance(line := lines.next(), list):
            if len(line) != len(decoders):
                raise BadRequestError(f"The export is damaged: a row of {table.name} has {len(line)} values.")
            batch.append(_row(table, decoders, line))
            if len(batch) == _ROWS:
                _insert(connection, table, batch)
                batch = []
        if batch:
            _insert(connection, table, batch)
    digest = lines.digest.hexdigest()
    if not isinstance(line, dict) or line.get("sha256") != digest:
        raise BadRequestError("The export is damaged or incomplete: its checksum is wrong.")
    return digest


def _row(table: Table, decoders: Sequence[tuple[str, Callable[[Any], Any]]], line: list[Any]) -> dict[str, Any]:
    try:
        return {name: decode(value) for (name, decode), value in zip(decoders, line, strict=True)}
    except (TypeError, ValueError):
        raise BadRequestError(f"The export is damaged: a row of {table.name} has a malformed value.") from None


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Store rows.

    Raises:
        BadRequestError: the table doesn't take a value; the message has none, since values may be secret.
    """
    problem = BadRequestError(f"The export is damaged: the table {table.name} doesn't take a row.")
    try:
        connection.execute(insert(table), rows)
    except (IntegrityError, DataError, ProgrammingError, OverflowError):
        raise problem from None
    except StatementError as error:
        if isinstance(error, DBAPIError):  # the database failed
            raise
        raise problem from None


def _lock(connection: Connection) -> None:
    """Keep other writers out, such as a worker or a second import; SQLite has one writer at a time anyway."""
    if connection.dialect.name == "postgresql":
        names = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
        connection.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))


def _check_empty(connection: Connection) -> None:
    for name in ("source", "activity", "account", "audit"):
        table = metadata.tables[name]
        if connection.execute(select(func.count()).select_from(select(table).limit(1).subquery())).scalar():
            raise BadRequestError(f"The database is in use: it has rows in {name!r}. Import into a new one.")


def _set_sequences(connection: Connection) -> None:
    """Let PostgreSQL continue the numbers of rows behind the imported ones; SQLite always does."""
    if connection.dialect.name != "postgresql":
        return
    for table in _tables():
        column = table.autoincrement_column
        if column is None:
            continue
        name = connection.execute(select(func.pg_get_serial_sequence(f'"{table.name}"', column.name))).scalar()
        if name is not None:
            last = func.max(column)
            connection.execute(select(func.setval(name, func.coalesce(last, 1), last.is_not(None))))


def _encoder(column: Column[Any]) -> Callable[[Any], Any]:
    if isinstance(column.type, UtcDateTime):
        return lambda value: None if value is None else value.isoformat()
    if isinstance(column.type, LargeBinary):
        return lambda value: None if value is None else base64.b64encode(value).decode("ascii")
    return _plain if isinstance(column.type, JSON) else lambda value: value


def _decoder(column: Column[Any]) -> Callable[[Any], Any]:
    if isinstance(column.type, UtcDateTime):
        return lambda value: None if value is None else datetime.fromisoformat(value)
    if isinstance(column.type, LargeBinary):
        return lambda value: None if value is None else base64.b64decode(value)
    return lambda value: value


def _plain(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """Return a JSON value with numbers as PostgreSQL's jsonb gives them back: 1e16 is a whole number there."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
