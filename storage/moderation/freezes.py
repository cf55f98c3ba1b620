"""Store freezes, and hold and release their items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from aggregator.domain.activity import Review
from aggregator.domain.moderation.freezes import Freeze, frozen_until
from storage.moderation.review_states import AT_ONCE, Reviews
from storage.revision import Stream
from storage.tables.moderation import freeze
from storage.tables.stream import activity, transition

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
        """Return the active freezes."""
        rows = self._connection.execute(
            select(freeze).where(freeze.c.until > now, freeze.c.ended.is_(None)).order_by(freeze.c.until, freeze.c.id)
        )
        return [_freeze(row) for row in rows]

    def recent(self, limit: int) -> list[Freeze]:
        """Return the newest freezes, active or ended."""
        return [
            _freeze(row) for row in self._connection.execute(select(freeze).order_by(freeze.c.id.desc()).limit(limit))
        ]

    def get(self, freeze_id: int) -> Freeze | None:
        """Return a freeze by id."""
        row = self._connection.execute(select(freeze).where(freeze.c.id == freeze_id)).one_or_none()
        return None if row is None else _freeze(row)

    def begin(
        self, source_ids: Sequence[int | None], until: datetime, reason: str, author: str, now: datetime
    ) -> list[int]:
        """Freeze sources, None meaning all; items that are already held wait until the later end."""
        Stream(self._connection).require_lock()
        values = {"until": until, "reason": reason, "author": author, "begun": now}
        ids = [
            self._connection.execute(
                freeze.insert().values(source_id=source_id, **values).returning(freeze.c.id)
            ).scalar_one()
            for source_id in source_ids
        ]
        for source_id in source_ids:
            held_ids = select(activity.c.id).where(*self._held_of(source_id))
            longer = (transition.c.activity_id.in_(held_ids), transition.c.due < until)
            self._connection.execute(update(transition).where(*longer).values(due=until))
        return ids

    def end(self, ended: Freeze, who: str, now: datetime) -> int:
        """End a freeze early; items that no other freeze holds are shown within some ticks. Return their number."""
        Stream(self._connection).require_lock()
        self._connection.execute(update(freeze).where(freeze.c.id == ended.id).values(ended=now))
        left = self.active(now)
        sources = select(activity.c.source_id).distinct().where(*self._held_of(ended.source_id))
        by_freeze: dict[Freeze | None, list[int]] = {}
        for source_id in self._connection.execute(sources).scalars().all():
            by_freeze.setdefault(frozen_until(left, source_id, now), []).append(source_id)
        free = 0
        for other, ids in by_freeze.items():
            held_ids = select(activity.c.id).where(_FROZEN, activity.c.source_id.in_(ids))
            waiting = update(transition).where(transition.c.activity_id.in_(held_ids))
            if other is not None:
                self._connection.execute(waiting.values(due=other.until))
            else:
                reviewed = {"review_by": "policy", "reason": f"the freeze was ended by {who}"}
                free = self._connection.execute(waiting.values(due=now, **reviewed)).rowcount
        self.hold_due(now)
        Reviews(self._connection).apply_due(now)  # one tick's worth; the next ticks show the rest
        return free

    def hold_due(self, now: datetime) -> int:
        """Hold scheduled items that are due while their source is frozen; return the number, up to one tick's worth."""
        active = self.active(now)
        if not active:
            return 0
        Stream(self._connection).require_lock()
        every = any(active_freeze.source_id is None for active_freeze in active)
        frozen = [] if every else [activity.c.source_id.in_([active_freeze.source_id for active_freeze in active])]
        rows = self._connection.execute(
            select(activity.c.id, activity.c.source_id)
            .join(transition, transition.c.activity_id == activity.c.id)
            .where(activity.c.review == Review.WAITING.value, activity.c.review_by != "freeze", *frozen)
            .where(transition.c.due <= now, transition.c.review == Review.PUBLISHED.value)
            .where(transition.c.review_by != "person")
            .order_by(transition.c.due, transition.c.id)
            .limit(AT_ONCE)
        ).all()
        by_freeze: dict[Freeze | None, list[int]] = {}
        for id_, source_id in rows:
            by_freeze.setdefault(frozen_until(active, source_id, now), []).append(id_)
        for active_freeze, ids in by_freeze.items():
            if active_freeze is not None:
                Reviews(self._connection).put_off(
                    ids, active_freeze.until, by="freeze", reason=active_freeze.sentence, now=now
                )
        return len(rows)

    def held(self) -> dict[int, int]:
        """Return the number of items held by freezes, by source."""
        counted = select(activity.c.source_id, func.count().label("items")).where(_FROZEN, activity.c.gone.is_(None))
        rows = self._connection.execute(counted.group_by(activity.c.source_id))
        return {row.source_id: row.items for row in rows}

    def _held_of(self, source_id: int | None) -> list[ColumnElement[bool]]:
        return [_FROZEN, *([] if source_id is None else [activity.c.source_id == source_id])]


def _freeze(row: Row[Any]) -> Freeze:
    return Freeze(row.id, row.source_id, row.until, row.reason, row.author, row.begun, row.ended)
