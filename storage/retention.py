"""Delete old records: a bounded number at a time, found by index, without waiting for locked rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Text, and_, cast, func, select, text, true

from aggregator.domain.activity import Review
from aggregator.domain.retention import Records
from storage.stream.tombstones import Tombstones
from storage.tables.polling import fetch_log
from storage.tables.stream import activity, activity_version, raw_payload

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Column, ColumnElement, Connection, Select

COUNTED = 100_000  # the limit of exact counts
REASONS = {Records.HIDDEN_ITEMS: "hidden for long", Records.STREAM: "older than the stream"}


class _Stored(NamedTuple):
    """The place of records, and their time."""

    key: Column[Any]
    moment: Column[Any]
    which: ColumnElement[bool] = true()


_DELETED: Mapping[Records, _Stored] = {
    Records.FETCH_LOG: _Stored(fetch_log.c.id, fetch_log.c.started),
    Records.RAW_PAYLOADS: _Stored(raw_payload.c.activity_id, raw_payload.c.stored),
    Records.VERSIONS: _Stored(activity_version.c.id, activity_version.c.replaced),
}
_HIDDEN = text("activity.review = 'hidden' AND activity.gone IS NULL")  # matches the partial index of these rows
_EVENT = activity.c.detail["event"]
_LAST_DAY = func.substr(func.coalesce(_EVENT["end"].as_string(), _EVENT["start"].as_string(), cast("", Text)), 1, 10)


class Retention:
    """The old records, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def prune(self, records: Records, before: datetime, now: datetime, most: int) -> int:
        """Delete up to `most` records from before a time, the oldest first; return the number.

        Items become tombstones: they lose their content, and keep the identity by which they are never stored again.
        """
        if records in _DELETED:
            return self._delete(_DELETED[records], before, most)
        ids: list[int] = []
        for expired in _items(records, before):
            ids += self._connection.execute(expired.limit(most - len(ids))).scalars()
        if not ids:
            return 0
        # As of now: an editor may have decided, while this transaction waited for the stream.
        chosen = and_(activity.c.id.in_(ids), _state(records))
        return len(Tombstones(self._connection).bury(chosen, REASONS[records], now))

    def count(self, records: Records, before: datetime) -> int:
        """Count the records from before a time, up to a limit."""
        chosen = [_expired(_DELETED[records], before)] if records in _DELETED else _items(records, before)
        limited = [select(func.count()).select_from(expired.limit(COUNTED).subquery()) for expired in chosen]
        return sum(self._connection.execute(counted).scalar_one() for counted in limited)

    def oldest(self, records: Records) -> datetime | None:
        """Return the time of the oldest record."""
        if records in _DELETED:
            chosen = select(func.min(_DELETED[records].moment))
        elif records is Records.STREAM:
            chosen = select(func.min(activity.c.position)).where(activity.c.visible)
        else:
            chosen = select(func.min(activity.c.reviewed)).where(_HIDDEN)
        moment: datetime | None = self._connection.execute(chosen).scalar()
        return moment

    def _delete(self, stored: _Stored, before: datetime, most: int) -> int:
        some = _expired(stored, before).order_by(stored.moment).limit(most).with_for_update(skip_locked=True)
        return self._connection.execute(stored.key.table.delete().where(stored.key.in_(some))).rowcount


def _expired(stored: _Stored, before: datetime) -> Select[Any]:
    return select(stored.key).where(stored.moment < before)


def _items(records: Records, before: datetime) -> list[Select[Any]]:
    """Return the ids of items that expired, the oldest first, each selection in the order of an index."""
    ids = select(activity.c.id)
    if records is Records.STREAM:
        old = and_(activity.c.visible, activity.c.position < before)
        ended = before.date().isoformat() > _LAST_DAY
        unpinned = activity.c.pinned_until.is_(None)
        return [ids.where(old, ended, unpinned).order_by(activity.c.position, activity.c.id)]
    decided = ids.where(_HIDDEN, activity.c.reviewed < before).order_by(activity.c.reviewed)
    # Rules hide items as they arrive, which have no time of a decision.
    untimed = ids.where(_HIDDEN, activity.c.reviewed.is_(None), activity.c.first_seen < before)
    return [decided, untimed.order_by(activity.c.reviewed, activity.c.first_seen)]


def _state(records: Records) -> ColumnElement[bool]:
    return activity.c.visible if records is Records.STREAM else activity.c.review == Review.HIDDEN.value
