"""Apply review decisions, at once or scheduled, each as a write with a revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, case, func, literal, select, text, update

from aggregator.domain.activity import Review, Upstream
from storage.revision import Stream
from storage.tables.stream import activity, transition

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from aggregator.domain.activity import ReviewOrigin


AT_ONCE = 2000  # transitions per tick, so that other writers get their turn
_COUNTED = 1000  # the limit of exact counts


class Reviews:
    """The review states, within one writing transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def decide(
        self,
        ids: Collection[int],
        review: Review,
        *,
        by: ReviewOrigin,
        reason: str,
        now: datetime,
        reviewer: str | None = None,
    ) -> set[int]:
        """Set the review state of activities; return those that were not removed.

        Scheduled transitions are cancelled: the newest decision counts.
        """
        return self._decide(activity.c.id.in_(ids), review, by=by, reviewer=reviewer, reason=reason, now=now)

    def count_waiting(self) -> int:
        """Return how many activities wait for review, counted up to 1,000."""
        waits = (activity.c.review == Review.WAITING.value, text("activity.review <> 'published'"))
        some = select(activity.c.id).where(*waits, activity.c.gone.is_(None)).limit(_COUNTED).subquery()
        return self._connection.execute(select(func.count()).select_from(some)).scalar_one()

    def hide_source(self, source_id: int, *, by: ReviewOrigin, reason: str, now: datetime) -> int:
        """Hide all items of a source; return the number."""
        return len(self._decide(activity.c.source_id == source_id, Review.HIDDEN, by=by, reason=reason, now=now))

    def release(self, source_id: int, review: Review, *, by: ReviewOrigin, reason: str, now: datetime) -> int:
        """Release a source's quarantined activities into the review state of its policy."""
        quarantined = (activity.c.source_id == source_id) & (activity.c.review == Review.QUARANTINED.value)
        return len(self._decide(quarantined, review, by=by, reason=reason, now=now))

    def _decide(
        self,
        which: ColumnElement[bool],
        review: Review,
        *,
        by: ReviewOrigin,
        reason: str,
        now: datetime,
        reviewer: str | None = None,
        calling_off: bool = True,
    ) -> set[int]:
        stream = Stream(self._connection)
        stream.require_lock()
        if calling_off:
            decided = select(activity.c.id).where(which)
            self._connection.execute(transition.delete().where(transition.c.activity_id.in_(decided)))
        ids = self._connection.execute(select(activity.c.id).where(which, activity.c.gone.is_(None))).scalars().all()
        if ids:
            first = stream.take(len(ids))
            shown = case((activity.c.upstream == Upstream.LIVE.value, literal(review is Review.PUBLISHED)), else_=False)
            self._connection.execute(
                update(activity)
                .where(activity.c.id == bindparam("row"))
                .values(
                    review=review.value,
                    review_by=by,
                    review_reason=reason,
                    reviewed=now,
                    reviewer=reviewer,
                    review_rule=None,
                    visible=shown,
                    revision=bindparam("next"),
                ),
                [{"row": id_, "next": first + offset} for offset, id_ in enumerate(ids)],
            )
        return set(ids)

    def apply_unpinning(self, now: datetime) -> int:
        """Unpin expired pins; return the number."""
        stream = Stream(self._connection)
        due = activity.c.pinned_until <= now
        if self._connection.execute(select(activity.c.id).where(due).limit(1)).first() is None:
            return 0
        stream.require_lock()
        ids = self._connection.execute(select(activity.c.id).where(due)).scalars().all()
        first = stream.take(len(ids))
        rows = [{"row": id_, "next": first + offset} for offset, id_ in enumerate(ids)]
        if rows:
            statement = update(activity).where(activity.c.id == bindparam("row"))
            self._connection.execute(statement.values(pinned_until=None, revision=bindparam("next")), rows)
        return len(rows)

    def decide_at(self, ids: Collection[int], review: Review, *, by: ReviewOrigin, reason: str, due: datetime) -> None:
        """Schedule a review state for activities, replacing earlier transitions."""
        self._connection.execute(transition.delete().where(transition.c.activity_id.in_(ids)))
        rows = [
            {"activity_id": id_, "due": due, "review": review.value, "review_by": by, "reason": reason} for id_ in ids
        ]
        if rows:
            self._connection.execute(transition.insert(), rows)

    def put_off(self, ids: Collection[int], until: datetime, *, by: ReviewOrigin, reason: str, now: datetime) -> None:
        """Postpone the scheduled transitions of activities, with a reason."""
        self._decide(activity.c.id.in_(ids), Review.WAITING, by=by, reason=reason, now=now, calling_off=False)
        self._connection.execute(update(transition).where(transition.c.activity_id.in_(ids)).values(due=until))

    def apply_due(self, now: datetime) -> int:
        """Apply due transitions, up to one tick's worth; return the number of activities changed."""
        rows = self._connection.execute(
            select(transition).where(transition.c.due <= now).order_by(transition.c.due, transition.c.id).limit(AT_ONCE)
        ).all()
        newest = {row.activity_id: row for row in rows}  # if an activity has several, the last one counts
        alike: dict[tuple[str, ReviewOrigin, str | None, str], list[int]] = {}
        for id_, row in newest.items():
            alike.setdefault((row.review, row.review_by, row.reviewer, row.reason), []).append(id_)
        touched = 0
        for (review, by, reviewer, reason), ids in alike.items():
            touched += len(self.decide(ids, Review(review), by=by, reviewer=reviewer, reason=reason, now=now))
        return touched
