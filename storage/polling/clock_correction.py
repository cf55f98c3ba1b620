"""Correct stored times after a clock that ran ahead was set back; polling would stop until it catches up."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, select, update

from storage.tables.access import sign_in_failure
from storage.tables.billing import meter, reservation
from storage.tables.moderation import alert
from storage.tables.monitoring import outage
from storage.tables.polling import fetch_log, host, pace, source, source_lease

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

TOLERANCE = timedelta(minutes=5)  # the clocks of several machines differ by less
REASON = "the clock was set back"

_DAY = timedelta(days=1)
# The maximum distance of each column from now; later times are set to now.
_FURTHEST = (
    (source.c.last_polled, timedelta()),
    (source.c.last_success, timedelta()),
    (source.c.last_new, timedelta()),
    (source.c.asked, timedelta()),
    (source_lease.c.until, timedelta(hours=1)),
    (fetch_log.c.started, timedelta()),
    (host.c.paused_until, _DAY),
    (host.c.next_start, timedelta()),
    (pace.c.since, timedelta()),
    (meter.c.reported_at, timedelta()),
    (meter.c.blocked_until, 32 * _DAY),
    (reservation.c.until, _DAY),
    (alert.c.next_try, _DAY),
    (outage.c.next_probe, timedelta(hours=1)),
    (outage.c.began, timedelta()),
    (outage.c.released, timedelta()),
    (sign_in_failure.c.blocked_until, _DAY),
)


class Clock:
    """Stored times, within one writing transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def is_behind(self, now: datetime) -> bool:
        """Return whether sources were polled in the future: the clock was ahead then, or is behind now."""
        newest: datetime | None = self._connection.execute(select(func.max(fetch_log.c.started))).scalar_one()
        return newest is not None and newest > now + TOLERANCE

    def set_back(self, now: datetime) -> int:
        """Correct all times that are further ahead than possible; return how many sources became due earlier.

        Such a source is due after its minimum interval, since it may just have been polled.
        """
        rows = self._connection.execute(
            select(source.c.id, source.c.due, source.c.floor).where(source.c.last_polled > now + TOLERANCE)
        ).all()
        soon = [{"row": row.id, "to_due": min(row.due, now + timedelta(seconds=row.floor))} for row in rows]
        if soon:
            self._connection.execute(_DUE, soon)
        for column, ahead in _FURTHEST:
            late = column > now + ahead + TOLERANCE
            self._connection.execute(update(column.table).where(late).values({column: now}))
        return len(soon)


_DUE = update(source).where(source.c.id == bindparam("row")).values(due=bindparam("to_due"), due_reason=REASON)
