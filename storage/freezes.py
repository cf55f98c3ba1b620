"""Freezes as they are kept, and what becomes of what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from aggregator.activity import Review
from aggregator.freezes import Freeze, frozen_until
from storage.reviews import Reviews
from storage.stream import Stream
from storage.tables import activity, freeze, transition

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Row

_FROZEN: ColumnElement[bool] = (activity.c.review == Review.WAITING.value) & (activity.c.review_by == "freeze")


class Freezes:
    """The freezes, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def active(self, now: datetime) -> list[Freeze]:
        """Return those that hold something back now."""
        rows = self._connection.execute(
            select(freeze).where(freeze.c.until > now, freeze.c.ended.is_(None)).order_by(freeze.c.until, freeze.c.id)
        )
        return [_freeze(row) for row in rows]

    def recent(self, limit: int) -> list[Freeze]:
        """Return the newest, whether or not they have ended."""
        return [
            _freeze(row) for row in self._connection.execute(select(freeze).order_by(freeze.c.id.desc()).limit(limit))
        ]

    def get(self, freeze_id: int) -> Freeze | None:
        """Return a freeze."""
        row = self._connection.execute(select(freeze).where(freeze.c.id == freeze_id)).one_or_none()
        return None if row is None else _freeze(row)

    def begin(
        self, source_ids: Sequence[int | None], until: datetime, reason: str, author: str, now: datetime
    ) -> list[int]:
        """Hold back what comes from sources, None meaning all; what is held already waits for the longer one."""
        Stream(self._connection).take(0)
        values = {"until": until, "reason": reason, "author": author, "begun": now}
        ids = [
            self._connection.execute(
                freeze.insert().values(source_id=one, **values).returning(freeze.c.id)
            ).scalar_one()
            for one in source_ids
        ]
        for one in source_ids:
            held = select(activity.c.id).where(*self._held_of(one))
            longer = (transition.c.activity_id.in_(held), transition.c.due < until)
            self._connection.execute(update(transition).where(*longer).values(due=until))
        return ids

    def end(self, one: Freeze, who: str, now: datetime) -> int:
        """End a freeze before its time; show what no other one holds, and return how much that is."""
        stream = Stream(self._connection)
        stream.take(0)
        self._connection.execute(update(freeze).where(freeze.c.id == one.id).values(ended=now))
        left = self.active(now)
        rows = self._connection.execute(
            select(activity.c.id, activity.c.source_id).where(*self._held_of(one.source_id))
        )
        free = []
        still: dict[datetime, list[int]] = {}
        for id_, source_id in rows:
            longer = frozen_until(left, source_id, now)
            if longer is None:
                free.append(id_)
            else:
                still.setdefault(longer.until, []).append(id_)
        for until, ids in still.items():
            due = update(transition).where(transition.c.activity_id.in_(ids))
            self._connection.execute(due.values(due=until))
        reason = f"the freeze was ended by {who}"
        Reviews(self._connection).decide(free, Review.PUBLISHED, by="policy", reason=reason, now=now)
        return len(free)

    def held(self) -> dict[int, int]:
        """Return how many items are held by freezes, by source."""
        counted = select(activity.c.source_id, func.count().label("items")).where(_FROZEN, activity.c.gone.is_(None))
        rows = self._connection.execute(counted.group_by(activity.c.source_id))
        return {row.source_id: row.items for row in rows}

    def _held_of(self, source_id: int | None) -> list[ColumnElement[bool]]:
        return [_FROZEN, *([] if source_id is None else [activity.c.source_id == source_id])]


def _freeze(row: Row[Any]) -> Freeze:
    return Freeze(row.id, row.source_id, row.until, row.reason, row.author, row.begun, row.ended)
