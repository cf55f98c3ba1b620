"""Count sources by kind and state for metrics, from indexes: no statement reads the rows of sources that are well."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import Float, case, cast, func, or_, select, true

from aggregator.domain.monitoring.system_facts import SourceCounts
from aggregator.domain.source import SourceState
from aggregator.domain.source_health import LATE_BY
from storage.polling.leases import is_leased
from storage.tables.polling import source, source_lease

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

_ACTIVE = source.c.state == SourceState.ACTIVE.value
_PART = ("due", "overdue", "failing", "leased", "unfinished")


def source_counts(connection: Connection, now: datetime) -> list[SourceCounts]:
    """Count the sources, except removed ones, by kind and state."""
    parts = _parts(connection, now)
    totals = (
        select(source.c.kind, source.c.state, func.count(), func.max(source.c.last_polled))
        .where(source.c.state != SourceState.REMOVED.value)
        .group_by(source.c.kind, source.c.state)
        .order_by(source.c.kind, source.c.state)
    )
    return [
        SourceCounts(kind, state, count, **{name: parts[kind, state, name] for name in _PART}, last_polled=polled)
        for kind, state, count, polled in connection.execute(totals)
    ]


def _parts(connection: Connection, now: datetime) -> defaultdict[tuple[str, str, str], int]:
    """Count the sources that are due, that fail, or that are leased, by kind, state and what counts."""
    late = _seconds(connection, source.c.due) + 2 * source.c.interval <= (now - LATE_BY).timestamp()
    running, begun = source_lease.c.until > now, source_lease.c.unfinished > 0
    ended = or_(source_lease.c.until.is_(None), ~running)
    selections = (
        ({"due": ~is_leased(now), "overdue": late}, select(source), _ACTIVE & (source.c.due <= now)),
        ({"failing": source.c.failures > 0}, select(source), _ACTIVE & (source.c.failures > 0)),
        ({"leased": running, "unfinished": begun & ended & _ACTIVE}, select(source).join(source_lease), true()),
    )
    found: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for counted, rows, condition in selections:
        numbers = [func.count(case((chosen, 1))) for chosen in counted.values()]
        grouped = rows.with_only_columns(source.c.kind, source.c.state, *numbers).where(condition)
        for kind, state, *counts in connection.execute(grouped.group_by(source.c.kind, source.c.state)):
            for name, count in zip(counted, counts, strict=True):
                found[kind, state, name] += count
    return found


def _seconds(connection: Connection, column: ColumnElement[datetime]) -> ColumnElement[float]:
    if connection.dialect.name == "postgresql":
        return cast(func.extract("epoch", column), Float)
    return cast(func.strftime("%s", column), Float)
