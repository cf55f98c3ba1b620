"""Read sources in several orders, a page at a time by keyset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, tuple_

from aggregator.domain.source import EVERY_SOURCE, Source, SourceFilter
from aggregator.domain.source_sorting import SourceSort
from storage.polling.source_lists import conditions_of, source_of
from storage.tables.polling import source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Column, Connection, Select

_MOST_FOLDERS = 300

# The columns of each order before the id, and whether the highest come first.
_ORDERS: Mapping[SourceSort, tuple[tuple[Column[Any], ...], bool]] = {
    SourceSort.NAME: ((source.c.name,), False),
    SourceSort.FOLDER: ((source.c.folder, source.c.name), False),
    SourceSort.LAST_NEW: ((source.c.last_new,), True),
    SourceSort.DUE: ((source.c.due,), False),
    SourceSort.FAILURES: ((source.c.failures,), True),
}


class SourceTable:
    """The table of sources, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def page(
        self, sort: SourceSort, limit: int, after: int | None = None, which: SourceFilter = EVERY_SOURCE
    ) -> list[Source]:
        """Return up to `limit` sources after the source with the id `after`; sources without a value come last."""
        columns, descending = _ORDERS[sort]
        last = self._last(columns, after)
        if after is not None and last is None:
            return []
        first = columns[0]
        ids: list[int] = []
        if last is None or last[0] is not None:
            valued = select(source.c.id).where(*conditions_of(which), first.is_not(None))
            ids = self._ids(valued, (*columns, source.c.id), last, limit, descending=descending)
        if first.nullable and len(ids) < limit:
            unvalued = select(source.c.id).where(*conditions_of(which), first.is_(None))
            start = last[-1:] if last is not None and last[0] is None else None
            ids += self._ids(unvalued, (source.c.id,), start, limit - len(ids), descending=False)
        rows = self._connection.execute(select(source).where(source.c.id.in_(ids)))
        by_id = {row.id: source_of(row) for row in rows}
        return [by_id[id_] for id_ in ids]

    def folders(self) -> list[str]:
        """Return the names of folders, in order."""
        named = select(source.c.folder).where(source.c.folder > "").distinct().order_by(source.c.folder)
        return list(self._connection.execute(named.limit(_MOST_FOLDERS)).scalars())

    def _last(self, columns: Sequence[Column[Any]], after: int | None) -> tuple[Any, ...] | None:
        """Return the values of the source at which the page before ended."""
        if after is None:
            return None
        row = self._connection.execute(select(*columns, source.c.id).where(source.c.id == after)).one_or_none()
        return None if row is None else tuple(row)

    def _ids(
        self,
        chosen: Select[tuple[int]],
        order: Sequence[Column[Any]],
        last: Sequence[Any] | None,
        limit: int,
        *,
        descending: bool,
    ) -> list[int]:
        if last is not None:
            here, end = tuple_(*order), tuple_(*last)
            chosen = chosen.where(here < end if descending else here > end)
        ordered = chosen.order_by(*(column.desc() if descending else column for column in order))
        return [row.id for row in self._connection.execute(ordered.limit(limit))]
