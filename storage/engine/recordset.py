"""Pass many rows as one JSON parameter of a PostgreSQL statement; one statement per row costs more."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, bindparam, column, func
from sqlalchemy.dialects.postgresql import JSONB

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import TableValuedAlias
    from sqlalchemy.types import TypeEngine


def recordset(name: str, types: Mapping[str, TypeEngine[Any]]) -> TableValuedAlias:
    """Return the rows of the JSON parameter `name` as a table of that name with these columns."""
    columns = [column(key, JSONB() if isinstance(type_, JSON) else type_) for key, type_ in types.items()]
    rows = func.json_to_recordset(bindparam(name, type_=JSON))
    return rows.table_valued(*columns, name=name).render_derived(with_types=True)


def as_json(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return rows as such a parameter, with bytes as base64 text; the engine's serializer writes times."""
    binary = [name for name, value in rows[0].items() if isinstance(value, bytes)] if rows else []
    if not binary:
        return list(rows)
    return [{**row, **{name: b64encode(row[name]).decode("ascii") for name in binary}} for row in rows]
