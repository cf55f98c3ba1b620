"""Many rows as one JSON parameter of a PostgreSQL statement: a statement a row costs more in sending than in doing."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
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
    rows = func.jsonb_to_recordset(bindparam(name, type_=JSONB))
    return rows.table_valued(*columns, name=name).render_derived(with_types=True)


def as_json(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows as such a parameter: moments and bytes as text, the rest as it is."""
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:  # noqa: ANN401  # of any column
    if isinstance(value, datetime):
        return value.isoformat()
    return b64encode(value).decode("ascii") if isinstance(value, bytes) else value
