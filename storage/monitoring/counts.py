"""Store counts of polls and items by day, and return their totals."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite

from aggregator.domain.monitoring.counts import CountKey
from storage.engine.recordset import as_json, recordset
from storage.tables.monitoring import daily_count

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

_BEFORE = ""  # the day of the row that old days are added up in
_COLUMNS = {column.name: column.type for column in daily_count.c}
_KEY = list(daily_count.primary_key)
_ADD_ALL = (
    every := postgresql.insert(daily_count).from_select(list(_COLUMNS), select(recordset("added", _COLUMNS)))
).on_conflict_do_update(index_elements=_KEY, set_={"count": daily_count.c["count"] + every.excluded["count"]})
_ADD_EACH = (each := sqlite.insert(daily_count)).on_conflict_do_update(
    index_elements=_KEY, set_={"count": daily_count.c["count"] + each.excluded["count"]}
)


class Counts:
    """The counts, within one transaction; writers hold the stream's lock, so that they never deadlock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, counts: Mapping[CountKey, int], now: datetime) -> None:
        """Add to the counts of a day, with one statement."""
        self._add(counts, now.date().isoformat())

    def totals(self, since: str = "") -> Counter[CountKey]:
        """Return the totals from a day ("2026-05-04") on, or of all time."""
        keys = [daily_count.c[name] for name in CountKey._fields]
        chosen = select(*keys, func.sum(daily_count.c["count"])).where(daily_count.c.day >= since).group_by(*keys)
        return Counter({CountKey(*row[:3]): int(row[3]) for row in self._connection.execute(chosen)})

    def merge(self, before: str) -> None:
        """Add up all days before a day in one row for each count; the totals stay the same."""
        old = (daily_count.c.day > _BEFORE) & (daily_count.c.day < before)
        rows = self._connection.execute(daily_count.delete().where(old).returning(*daily_count.c)).all()
        merged: Counter[CountKey] = Counter()
        for row in rows:
            merged[CountKey(row.measure, row.subject, row.label)] += row[4]
        self._add(merged, _BEFORE)

    def _add(self, counts: Mapping[CountKey, int], day: str) -> None:
        rows = [{"day": day, **key._asdict(), "count": count} for key, count in sorted(counts.items())]
        if not rows:
            return
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(_ADD_ALL, {"added": as_json(rows)})
        else:
            self._connection.execute(_ADD_EACH, rows)
