"""Read and replace the encrypted values of all tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select, update

from storage.tables.access import totp
from storage.tables.api import credential
from storage.tables.polling import source

if TYPE_CHECKING:
    from sqlalchemy import Connection

_TABLES = {"source": source, "credential": credential, "totp": totp}
TABLES = tuple(_TABLES)


class SealedValue(NamedTuple):
    """An encrypted value of a row."""

    table: str
    id: int
    sealed: str


class SealedValues:
    """The encrypted values, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def page(self, table: str, after: int, most: int) -> list[SealedValue]:
        """Return values of a table behind an id, in the order of ids."""
        rows = _TABLES[table]
        chosen = select(rows.c.id, rows.c.sealed).where(rows.c.id > after, rows.c.sealed.is_not(None))
        found = self._connection.execute(chosen.order_by(rows.c.id).limit(most))
        return [SealedValue(table, row.id, row.sealed) for row in found]

    def replace(self, value: SealedValue, sealed: str) -> bool:
        """Replace a value, unless it was changed since it was read."""
        rows = _TABLES[value.table]
        same = (rows.c.id == value.id) & (rows.c.sealed == value.sealed)
        return self._connection.execute(update(rows).where(same).values(sealed=sealed)).rowcount > 0
