"""Store the pace of each kind of source: the daily average of its sources' poll weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from aggregator.domain.polling.pace import Demand, Measured
from aggregator.domain.source import SourceState
from storage.engine import upsert
from storage.tables.polling import pace, source

if TYPE_CHECKING:
    from sqlalchemy import Connection


class PaceTable:
    """The paces, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> dict[str, Measured]:
        """Return the last measurements, by kind."""
        return {row.kind: Measured(row.level, row.sources, row.since) for row in self._connection.execute(select(pace))}

    def demand(self) -> dict[str, Demand]:
        """Add up the demand of active sources, by kind."""
        rows = self._connection.execute(
            select(source.c.kind, func.sum(source.c.speed).label("total"), func.count().label("sources"))
            .where(source.c.state == SourceState.ACTIVE.value, source.c.speed.is_not(None))
            .group_by(source.c.kind)
        )
        return {row.kind: Demand(row.total, row.sources) for row in rows}

    def put(self, kind: str, measured: Measured) -> None:
        """Store a measurement."""
        changing = ["level", "sources", "since"]
        self._connection.execute(
            upsert.statement(self._connection, pace, index=["kind"], changing=changing),
            [{"kind": kind, **measured._asdict()}],
        )
