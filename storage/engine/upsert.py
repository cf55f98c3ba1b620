"""Build `INSERT ... ON CONFLICT DO UPDATE`, which SQLAlchemy supports per dialect only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import LargeBinary, Text, func, select
from sqlalchemy.dialects import postgresql, sqlite

from storage.engine.recordset import as_json, recordset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, CursorResult, Select, Table

Insert = postgresql.Insert | sqlite.Insert


def statement(
    connection: Connection,
    table: Table,
    *,
    index: Sequence[str],
    changing: Sequence[str],
    where: ColumnElement[bool] | None = None,
    index_where: ColumnElement[bool] | None = None,
    rows: tuple[Sequence[str], Select[Any]] | None = None,
) -> Insert:
    """Build the upsert of `table`: on a conflict over `index`, `changing` gets the new values where `where` holds.

    With `changing` empty, a conflict does nothing. `index_where` is the condition of a partial index. `rows`: columns,
    and the selection of their values.
    """
    insert: Insert = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    if rows is not None:
        insert = insert.from_select(*rows, include_defaults=False)
    return _on_conflict(insert, index, changing, where, index_where)


class Upsert:
    """A bulk upsert, built once: on PostgreSQL one statement with one parameter for any number of rows.

    Args:
        table: the target of the rows.
        index: the columns of the conflict.
        changing: the columns that are updated then.
        where: which rows are updated.
        columns: the columns of every row.
        returning: the columns that `run` returns.
    """

    def __init__(
        self,
        table: Table,
        *,
        index: Sequence[str],
        changing: Sequence[str],
        columns: Sequence[str],
        where: ColumnElement[bool] | None = None,
        returning: Sequence[str] = (),
    ) -> None:
        columns_returned = [table.c[name] for name in returning]
        types = {name: table.c[name].type for name in columns}
        self._binary = [name for name, type_ in types.items() if isinstance(type_, LargeBinary)]
        rows = recordset("written", types | dict.fromkeys(self._binary, Text()))
        values = [func.decode(rows.c[name], "base64") if name in self._binary else rows.c[name] for name in columns]
        together = postgresql.insert(table).from_select(list(columns), select(*values))
        every = _on_conflict(together, index, changing, where)
        each = _on_conflict(sqlite.insert(table), index, changing, where)
        self._together = every.returning(*columns_returned) if columns_returned else every
        self._each = each.returning(*columns_returned) if columns_returned else each

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> CursorResult[Any]:
        """Write the rows."""
        if connection.dialect.name == "postgresql":
            return connection.execute(self._together, {"written": as_json(rows)})
        return connection.execute(self._each, list(rows))


def _on_conflict(
    insert: Insert,
    index: Sequence[str],
    changing: Sequence[str],
    where: ColumnElement[bool] | None,
    index_where: ColumnElement[bool] | None = None,
) -> Insert:
    if not changing:
        return insert.on_conflict_do_nothing(index_elements=index, index_where=index_where)
    return insert.on_conflict_do_update(
        index_elements=index, set_={name: insert.excluded[name] for name in changing}, where=where
    )
