"""`INSERT ... ON CONFLICT DO UPDATE`, which both databases have and SQLAlchemy spells per dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Table

Insert = postgresql.Insert | sqlite.Insert


def statement(
    connection: Connection,
    table: Table,
    *,
    index: Sequence[str],
    changing: Sequence[str],
    where: ColumnElement[bool] | None = None,
) -> Insert:
    """Build the upsert of `table`: on a conflict over `index`, `changing` takes the new values where `where` holds.

    With `changing` empty a conflict does nothing.
    """
    insert: Insert = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    if not changing:
        return insert.on_conflict_do_nothing(index_elements=index)
    return insert.on_conflict_do_update(
        index_elements=index, set_={name: insert.excluded[name] for name in changing}, where=where
    )
