"""Read the present state of the system: a dozen aggregates, none of which reads an item."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exists, func, select, text

from aggregator.domain.activity import Review
from aggregator.domain.monitoring.system_facts import (
    DatabaseFacts,
    QueueFacts,
    SystemFacts,
    TableSize,
)
from aggregator.domain.source import SourceState
from storage.monitoring.alerts import Alerts
from storage.monitoring.counts import Counts
from storage.monitoring.source_counts import source_counts
from storage.polling.leases import is_leased
from storage.revision import Stream
from storage.tables.api import api_refusal
from storage.tables.moderation import alert
from storage.tables.polling import host, source
from storage.tables.stream import activity, unread_entry

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

COUNTED = 10_000  # the limit of exact counts
_MEASURED = (
    "activity",
    "activity_tag",
    "activity_version",
    "activity_words",
    "audit",
    "fetch_log",
    "host",
    "raw_payload",
    "source",
)  # the tables that may grow large


class Facts:
    """The state of the system, within one reading transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_postgresql = connection.dialect.name == "postgresql"

    def read(self, now: datetime) -> SystemFacts:
        """Return everything but the budgets, whose services only the settings know."""
        state = Stream(self._connection)
        mark = state.mark()
        refusals = select(api_refusal.c.service, api_refusal.c.code, func.count())
        alerts = select(alert.c.kind, func.count()).where(alert.c.closed.is_(None)).group_by(alert.c.kind)
        return SystemFacts(
            at=now,
            revision=mark.revision,
            changed=mark.changed,
            last_tick=state.last_tick(),
            sources=source_counts(self._connection, now),
            oldest_due=self._oldest_due(now),
            paused_hosts=self._connection.execute(
                select(func.count()).select_from(host).where(host.c.paused_until > now)
            ).scalar_one(),
            refusals={
                (row[0], row[1]): row[2]
                for row in self._connection.execute(refusals.group_by(api_refusal.c.service, api_refusal.c.code))
            },
            alerts={row[0]: row[1] for row in self._connection.execute(alerts)},
            queue=self.queue(),
            unread_entries=self._unread_entries(),
            database=self.database(),
            counts=Counts(self._connection).totals(),
        )

    def queue(self) -> QueueFacts:
        """Count the items that wait for a person."""
        return QueueFacts(
            waiting=self._in_state(Review.WAITING),
            quarantined=self._in_state(Review.QUARANTINED),
            oldest_waiting=Alerts(self._connection).oldest_waiting(),
        )

    def database(self) -> DatabaseFacts:
        """Measure the database."""
        if not self._is_postgresql:
            return DatabaseFacts("sqlite", int(self._connection.execute(_FILE_SIZE).scalar_one()))
        row = self._connection.execute(_DATABASE).one()
        tables = self._connection.execute(_TABLES, {"names": list(_MEASURED)})
        sizes = [TableSize(name, max(int(rows), 0), int(size)) for name, rows, size in tables]
        return DatabaseFacts("postgresql", int(row[0]), sizes, int(row[1]), int(row[2]))

    def _oldest_due(self, now: datetime) -> datetime | None:
        paused = select(host.c.name).where(host.c.paused_until > now)
        waiting = (
            source.c.state == SourceState.ACTIVE.value,
            source.c.due <= now,
            ~is_leased(now),
            source.c.host.not_in(paused),
        )
        first = select(source.c.due).where(*waiting).order_by(source.c.due).limit(1)
        moment: datetime | None = self._connection.execute(first).scalar()
        return moment

    def _in_state(self, review: Review) -> int:
        unshown = text("activity.review <> 'published'")  # matches the partial index of these rows
        chosen = select(activity.c.id).where(activity.c.review == review.value, unshown, activity.c.gone.is_(None))
        return self._counted(chosen.limit(COUNTED).subquery().c.id)

    def _unread_entries(self) -> int:
        read = exists().where(
            activity.c.source_id == unread_entry.c.source_id, activity.c.native_id == unread_entry.c.native_id
        )
        return self._counted(select(unread_entry.c.id).where(~read).limit(COUNTED).subquery().c.id)

    def _counted(self, ids: ColumnElement[int]) -> int:
        return self._connection.execute(select(func.count(ids))).scalar_one()


_FILE_SIZE = text("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
_DATABASE = text(
    "SELECT pg_database_size(current_database()), "
    "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()), "
    "current_setting('max_connections')::integer"
)
_TABLES = text(
    "SELECT c.relname, c.reltuples, pg_total_relation_size(c.oid) FROM pg_class c "
    "WHERE c.relkind = 'r' AND c.relname = ANY(:names) AND pg_table_is_visible(c.oid) ORDER BY c.relname"
)
