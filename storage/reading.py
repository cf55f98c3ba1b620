"""Reading the stream: one activity, a page by keyset, and everything that changed after a revision."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, select, text, true, tuple_

from aggregator.activity import ActivityKind, Review
from aggregator.stitching import REACH, Entry, Stitched, about, stitched
from aggregator.stream import Changes, Cursor, Page
from storage.actors import Actors
from storage.content import ACTOR, activity_of
from storage.sources import source_of
from storage.stream import Stream
from storage.tables import activity, actor, source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Row

    from aggregator.activity import Activity
    from aggregator.stream import Query


_object_actor = actor.alias("object_actor")


class StreamReading:
    """The stream as readers get it, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, activity_id: int) -> Activity | None:
        """Return one activity, whatever its state."""
        row = self._connection.execute(_whole().where(activity.c.id == activity_id)).one_or_none()
        return None if row is None else activity_of(row)

    def page(self, query: Query) -> Page:
        """Return one page of what is shown, newest first, by keyset: its cost does not grow with depth or history."""
        revision = Stream(self._connection).revision()
        if query.stitch:
            shown, more = stitched(self._onward(query), self._before(query), query.limit)
        else:
            alone = [Stitched(entry.item) for entry in islice(self._onward(query), query.limit + 1)]
            shown, more = alone[: query.limit], len(alone) > query.limit
        ids = [id_ for one in shown for id_ in (one.item, *one.others)]
        # What was hidden since the first statement is not shown by the second.
        whole = _whole().where(activity.c.id.in_(ids), activity.c.visible)
        held = {row.id: activity_of(row) for row in self._connection.execute(whole)}
        items = [held[one.item] for one in shown if one.item in held]
        others = {one.item: [held[id_] for id_ in one.others if id_ in held] for one in shown if one.others}
        return Page(items, Cursor(items[-1].position, items[-1].id) if more and items else None, revision, others)

    def _onward(self, query: Query) -> Iterator[Entry[int]]:
        """Give the entries from a place on, newest first, as many as are asked for: each an id and what it is about."""
        after, size = query.after, query.limit + 1 + (REACH if query.stitch else 0)
        while True:
            older = [] if after is None else [_place() < (after.position, after.id)]
            order = (activity.c.position.desc(), activity.c.id.desc())
            rows = self._entries(query).where(*older).order_by(*order).limit(size)
            found = self._connection.execute(rows).all()
            yield from (_entry(row) for row in found if not _is_withheld(row, query))
            if len(found) < size:
                return
            after = Cursor(found[-1].position, found[-1].id)

    def _before(self, query: Query) -> list[str]:
        """Return what the entries just before a page are about, newest first."""
        if query.after is None:
            return []
        newer = _place() >= (query.after.position, query.after.id)
        rows = self._entries(query).where(newer).order_by(activity.c.position, activity.c.id).limit(REACH)
        found = self._connection.execute(rows).all()
        return [_entry(row).about for row in reversed(found) if not _is_withheld(row, query)]

    def _entries(self, query: Query) -> Select[Any]:
        withheld = [activity.c.detail] if query.not_withheld_in else []
        return select(
            activity.c.position, activity.c.id, activity.c.kind, activity.c.key, activity.c.object_key, *withheld
        ).where(activity.c.visible, *_filters(query))

    def in_review(self, state: Review, limit: int) -> list[Activity]:
        """Return the oldest activities in a review state."""
        # The index holds only what is not simply shown; spelled out, since a database does not look into parameters.
        indexed = text("activity.review <> 'published'") if state is not Review.PUBLISHED else true()
        statement = (
            _whole()
            .where(activity.c.review == state.value, indexed, activity.c.gone.is_(None))
            .order_by(activity.c.id)
            .limit(limit)
        )
        return [activity_of(row) for row in self._connection.execute(statement)]

    def changes(self, after: int, limit: int) -> Changes:
        """Return what changed after a revision, each thing once and as it is now, in revision order."""
        # Everything up to this revision is visible to the statements below; what commits meanwhile comes next time.
        newest = Stream(self._connection).revision()
        held = [activity_of(row) for row in self._changed(_whole(), activity.c.revision, after, newest, limit)]
        sources = [source_of(row) for row in self._changed(select(source), source.c.revision, after, newest, limit)]
        actors = self._changed(select(actor), actor.c.revision, after, newest, limit)
        revisions = sorted(one.revision for many in (held, sources, actors) for one in many)
        more = len(revisions) > limit
        upto = revisions[limit - 1] if more else newest
        return Changes(
            activities=[one for one in held if one.visible and one.revision <= upto],
            gone=[(one.id, one.revision) for one in held if not one.visible and one.revision <= upto],
            sources=[one for one in sources if one.revision <= upto],
            actors=[Actors.actor_of(row) for row in actors if row.revision <= upto],
            upto=upto,
            more=more,
        )

    def _changed(
        self, selection: Select[Any], revision: ColumnElement[int], after: int, newest: int, limit: int
    ) -> Sequence[Any]:
        """Return up to one row more than asked for, so that the caller sees whether there is more."""
        statement = selection.where(revision > after, revision <= newest).order_by(revision).limit(limit + 1)
        return self._connection.execute(statement).all()


def _whole() -> Select[Any]:
    return (
        select(
            activity,
            source.c.slug.label("source_slug"),
            source.c.name.label("source_name"),
            *(actor.c[name].label(f"actor_{name}") for name in ACTOR),
            *(_object_actor.c[name].label(f"object_actor_{name}") for name in ACTOR),
        )
        .join(source, source.c.id == activity.c.source_id)
        .outerjoin(actor, actor.c.id == activity.c.actor_id)
        .outerjoin(_object_actor, _object_actor.c.id == activity.c.object_actor_id)
    )


def _filters(query: Query) -> Iterator[ColumnElement[bool]]:
    if query.kinds:
        yield activity.c.kind.in_(sorted(kind.value for kind in query.kinds))
    if query.sources:
        ids = select(source.c.id).where(source.c.slug.in_(sorted(query.sources)))
        yield activity.c.source_id.in_(ids)


def _place() -> ColumnElement[Any]:
    return tuple_(activity.c.position, activity.c.id)


def _entry(row: Row[Any]) -> Entry[int]:
    is_repost = row.kind == ActivityKind.REPOST.value
    return Entry(about(row.key, row.object_key, is_repost=is_repost), is_repost, row.id)


def _is_withheld(row: Row[Any], query: Query) -> bool:
    """Whether an entry is left out; so few posts are withheld anywhere that no index is worth its keep."""
    if not query.not_withheld_in:
        return False
    return not query.not_withheld_in.isdisjoint((row.detail or {}).get("withheld") or ())
