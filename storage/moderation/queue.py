"""List the review queue, in order of arrival, with keyset pagination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Boolean, and_, func, literal, literal_column, select, type_coerce, union
from sqlalchemy.dialects.postgresql import JSONB

from aggregator.domain.activity import Review
from aggregator.domain.moderation.queue_query import Intention, QueueTab
from storage.stream import full_text
from storage.stream.content_columns import activity_of
from storage.stream.pages import whole
from storage.tables.moderation import handout, held_edit
from storage.tables.polling import fetch_log, source
from storage.tables.stream import activity, transition

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Select

    from aggregator.domain.activity import Activity
    from aggregator.domain.moderation.queue_query import QueueQuery

_UNSHOWN: ColumnElement[bool] = literal_column(
    "activity.review <> 'published'", Boolean()
)  # matches the partial index of these rows


class Listed(NamedTuple):
    """A page of the queue."""

    items: Sequence[Activity]
    more: bool  # there is another page


class Queue:
    """The queue, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_postgresql = connection.dialect.name == "postgresql"

    def page(self, query: QueueQuery, now: datetime) -> Listed:
        """Return the page of a query."""
        ids = self._ids(query, now)
        by_id = {item.id: item for item in self.items(ids[: query.limit])}
        return Listed([by_id[id_] for id_ in ids[: query.limit] if id_ in by_id], len(ids) > query.limit)

    def items(self, ids: Collection[int]) -> list[Activity]:
        """Return activities by id in any state, except removed ones."""
        rows = self._connection.execute(whole().where(activity.c.id.in_(ids), activity.c.gone.is_(None)))
        return [activity_of(row, self._connection) for row in rows]

    def touched(self, after: int, ids: Collection[int]) -> set[int]:
        """Return which of these activities have changed since a revision."""
        changed = select(activity.c.id).where(activity.c.id.in_(ids), activity.c.revision > after)
        return set(self._connection.execute(changed).scalars())

    def quarantined(self, source_id: int) -> int:
        """Return the number of quarantined activities of a source."""
        apart = (activity.c.review == Review.QUARANTINED.value, _UNSHOWN, activity.c.source_id == source_id)
        counted = select(func.count()).where(*apart, activity.c.gone.is_(None))
        return self._connection.execute(counted).scalar_one()

    def in_hand(self, ids: Collection[int], now: datetime) -> Mapping[int, tuple[str, datetime]]:
        """Return the assignee of each of these activities, and the end of the assignment."""
        rows = self._connection.execute(select(handout).where(handout.c.activity_id.in_(ids), handout.c.until > now))
        return {row.activity_id: (row.account, row.until) for row in rows}

    def intentions(self, ids: Collection[int]) -> Mapping[int, Intention]:
        """Return the scheduled transitions of these activities."""
        rows = self._connection.execute(select(transition).where(transition.c.activity_id.in_(ids)))
        return {row.activity_id: Intention(row.due, Review(row.review), row.reason) for row in rows}

    def brought_by(self, activity_id: int) -> Mapping[str, Any] | None:
        """Return the fetch log line of the poll that found an activity, while it is kept."""
        first = select(activity.c.source_id, activity.c.first_seen).where(activity.c.id == activity_id).subquery()
        rows = self._connection.execute(
            select(fetch_log)
            .join(first, and_(fetch_log.c.source_id == first.c.source_id, fetch_log.c.started <= first.c.first_seen))
            .order_by(fetch_log.c.id.desc())
            .limit(1)
        )
        return next((dict(row) for row in rows.mappings()), None)

    def _ids(self, query: QueueQuery, now: datetime) -> list[int]:
        parts = [self._part(query, clause, now) for clause in _tab_conditions(query)]
        together = union(*(select(part.subquery().c.id) for part in parts)).subquery()
        order = together.c.id if query.oldest_first else together.c.id.desc()
        return list(self._connection.execute(select(together.c.id).order_by(order).limit(query.limit + 1)).scalars())

    def _part(self, query: QueueQuery, clauses: Sequence[ColumnElement[bool]], now: datetime) -> Select[tuple[int]]:
        statement = select(activity.c.id).where(*clauses, activity.c.gone.is_(None), *self._filters(query))
        if query.pile is QueueTab.MINE:
            mine = and_(
                handout.c.activity_id == activity.c.id, handout.c.account == query.account, handout.c.until > now
            )
            statement = statement.join(handout, mine)
        if query.after is not None:
            statement = statement.where(
                activity.c.id > query.after if query.oldest_first else activity.c.id < query.after
            )
        return statement.order_by(activity.c.id if query.oldest_first else activity.c.id.desc()).limit(query.limit + 1)

    def _filters(self, query: QueueQuery) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if query.source:
            found.append(
                activity.c.source_id == select(source.c.id).where(source.c.slug == query.source).scalar_subquery()
            )
        if query.kind:
            found.append(activity.c.kind == query.kind.value)
        if query.topic:
            found.append(self._lists(activity.c.topics, query.topic))
        if query.country:
            found.append(self._lists(activity.c.countries, query.country))
        if query.search is not None:
            found.append(activity.c.id.in_(full_text.ids(query.search, postgresql=self._is_postgresql)))
        return found

    def _lists(self, column: ColumnElement[Any], value: str) -> ColumnElement[bool]:
        if self._is_postgresql:
            return type_coerce(column, JSONB).contains([value])
        each = func.json_each(column).table_valued("value")
        return select(literal(1)).select_from(each).where(each.c.value == value).exists()


def _tab_conditions(query: QueueQuery) -> list[list[ColumnElement[bool]]]:
    """Return the conditions of a tab, in parts that one index each can serve."""
    waiting: list[ColumnElement[bool]] = [activity.c.review == Review.WAITING.value, _UNSHOWN]
    edit = select(held_edit.c.activity_id).where(held_edit.c.dealt_with.is_(None))
    if query.pile is QueueTab.WAITING:
        return [waiting, [activity.c.id.in_(edit)]]
    if query.pile is QueueTab.MINE:
        return [waiting]
    if query.pile is QueueTab.ALL:
        return [[]]
    if query.pile is QueueTab.PUBLISHED:
        return [[activity.c.review == Review.PUBLISHED.value]]
    return [[activity.c.review == query.pile.value, _UNSHOWN]]
