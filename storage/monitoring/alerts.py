"""Store alerts, which are delivered once when they open and once when they close."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, func, or_, select, update

from aggregator.domain.activity import Review
from aggregator.domain.monitoring.alerts import Alert, Condition
from storage.engine import upsert
from storage.tables.moderation import alert
from storage.tables.stream import activity, transition

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import Connection, Row


class Alerts:
    """The alerts, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open(self) -> list[Alert]:
        """Return the open alerts, newest first."""
        rows = self._connection.execute(select(alert).where(alert.c.closed.is_(None)).order_by(alert.c.id.desc()))
        return [_alert(row) for row in rows]

    def oldest_waiting(self) -> datetime | None:
        """Return when the oldest item in review arrived, except scheduled items."""
        timed = exists().where(transition.c.activity_id == activity.c.id)
        waits = select(func.min(activity.c.id)).where(
            activity.c.review == Review.WAITING.value, ~timed, activity.c.gone.is_(None)
        )
        came = select(activity.c.first_seen).where(activity.c.id == waits.scalar_subquery())
        moment: datetime | None = self._connection.execute(came).scalar()
        return moment

    def hold(self, conditions: Iterable[Condition], now: datetime) -> None:
        """Open alerts for new conditions and close alerts whose condition has ended."""
        found = {(condition.kind, condition.subject): condition for condition in conditions}
        known = {(condition.kind, condition.subject): condition for condition in self.open()}
        ended = [condition.id for name, condition in known.items() if name not in found]
        if ended:
            closing = update(alert).where(alert.c.id.in_(ended))
            # An alert that was never delivered needs no closing message.
            self._connection.execute(closing.values(closed=now, tries=0, next_try=now, problem=None))
        new = [
            {
                "kind": condition.kind,
                "subject": condition.subject,
                "sentence": condition.sentence,
                "opened": now,
                "next_try": now,
            }
            for name, condition in found.items()
            if name not in known
        ]
        if new:
            statement = upsert.statement(
                self._connection, alert, index=["kind", "subject"], changing=[], index_where=alert.c.closed.is_(None)
            )
            self._connection.execute(statement, new)

    def claim(self, now: datetime, until: datetime, most: int) -> list[Alert]:
        """Claim alerts that are due for delivery until `until`, so that no other worker delivers them."""
        begun = alert.c.told.is_(None) & alert.c.closed.is_(None)
        ended = alert.c.told.is_not(None) & alert.c.closed.is_not(None) & (alert.c.told < alert.c.closed)
        due = select(alert.c.id).where(or_(begun, ended), alert.c.next_try <= now).order_by(alert.c.id).limit(most)
        rows = self._connection.execute(
            update(alert)
            .where(alert.c.id.in_(due.with_for_update(skip_locked=True)))
            .values(next_try=until, tries=alert.c.tries + 1)
            .returning(alert)
        )
        return [_alert(row) for row in rows]

    def mark_delivered(self, alert_id: int, now: datetime) -> None:
        """Record a delivery."""
        self._connection.execute(update(alert).where(alert.c.id == alert_id).values(told=now, problem=None))

    def failed(self, alert_id: int, problem: str, next_try: datetime) -> None:
        """Record a failed delivery."""
        values: dict[str, Any] = {"problem": problem, "next_try": next_try}
        self._connection.execute(update(alert).where(alert.c.id == alert_id).values(**values))

    def forget(self, before: datetime) -> int:
        """Delete alerts that ended long ago; return the number."""
        return self._connection.execute(alert.delete().where(alert.c.closed < before)).rowcount


def _alert(row: Row[Any]) -> Alert:
    return Alert(row.id, row.kind, row.subject, row.sentence, row.opened, row.closed, row.tries)
