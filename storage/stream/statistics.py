"""Count the visible activities of a period by day and by tag. A limit of the activities counted bounds the work."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Date, cast, func, select

from storage.stream.facets import facets
from storage.stream.query import StreamQuery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from aggregator.domain.stream import Facets, Query

MOST_COUNTED = 20_000  # activities; databases limit the parameters of a statement, and each may have its own source


class StreamStatistics(NamedTuple):
    """The counts of a period: by day (UTC), and by tag."""

    days: Mapping[date, int]
    tags: Facets


def statistics(connection: Connection, query: Query, *, most: int = MOST_COUNTED) -> StreamStatistics:
    """Count the newest activities that match a query, by day of their position and by tag."""
    counted, _ = StreamQuery(connection, query).newest(most)
    day = (
        cast(func.timezone("UTC", counted.c.position), Date)
        if connection.dialect.name == "postgresql"
        else func.date(counted.c.position)
    )
    rows = connection.execute(select(day, func.count()).select_from(counted).group_by(day)).all()
    days = {on if isinstance(on, date) else date.fromisoformat(on): count for on, count in rows}
    return StreamStatistics(days, facets(connection, query, {}, most=most))
