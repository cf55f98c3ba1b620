"""Reading the stream: one activity, a page by keyset, and everything that changed after a revision."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, func, select, text, true, tuple_

from aggregator.activity import ActivityKind, Review
from aggregator.stitching import REACH, Stitched, entry_of, stitched
from aggregator.stream import Changes, Cursor, Page
from storage.actors import Actors
from storage.content import ACTOR, activity_of
from storage.sources import source_of
from storage.stream import Stream
from storage.tables import activity, actor, source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Row

    from aggregator.activity import Activity
    from aggregator.stitching import Entry
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
        entries = self._onward(query)
        if query.stitch:
            shown, last = stitched(entries, self._before(query), query.limit)
        else:
            alone = [Stitched(entry.item) for entry in islice(entries, query.limit + 1)]
            shown, last = alone[: query.limit], alone[query.limit - 1].item if len(alone) > query.limit else None
        held = self._held(cursor.id for one in shown for cursor in (one.item, *one.others))
        items = [held[one.item.id] for one in shown if one.item.id in held]
        others = {one.item.id: [held[of.id] for of in one.others if of.id in held] for one in shown if one.others}
        return Page(items, last, revision, others)

    def _held(self, ids: Iterable[int]) -> dict[int, Activity]:
        """Return activities by id, without those that were hidden since their ids were read."""
        rows = self._connection.execute(_whole().where(activity.c.id.in_(ids), activity.c.visible))
        return {row.id: activity_of(row) for row in rows}

    def _onward(self, query: Query) -> Iterator[Entry[Cursor]]:
        """Give the entries from a place on, newest first, as many as are asked for."""
        # Nearly always enough: up to half of a page's entries may collapse before more must be read.
        after, size = query.after, 2 * query.limit + 1 + REACH if query.stitch else query.limit + 1
        while True:
            older = [] if after is None else [_place() < (after.position, after.id)]
            order = (activity.c.position.desc(), activity.c.id.desc())
            found = self._connection.execute(_entries(query).where(*older).order_by(*order).limit(size)).all()
            yield from map(_entry, found)
            if len(found) < size:
                return
            after, size = Cursor(found[-1].position, found[-1].id), 2 * size

    def _before(self, query: Query) -> list[str | None]:
        """Return what the entries just before a page are about, newest first."""
        if query.after is None:
            return []
        newer = _place() >= (query.after.position, query.after.id)
        rows = _entries(query).where(newer).order_by(activity.c.position, activity.c.id).limit(REACH)
        return [_entry(row).about for row in reversed(self._connection.execute(rows).all())]

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


def _entries(query: Query) -> Select[Any]:
    """Select what stitching needs of the entries that a query is about: no content."""
    columns = (activity.c.position, activity.c.id, activity.c.kind, activity.c.key, activity.c.object_key)
    return select(*columns).where(activity.c.visible, *_filters(query))


def _filters(query: Query) -> Iterator[ColumnElement[bool]]:
    if query.kinds:
        yield activity.c.kind.in_(sorted(kind.value for kind in query.kinds))
    if query.sources:
        ids = select(source.c.id).where(source.c.slug.in_(sorted(query.sources)))
        yield activity.c.source_id.in_(ids)
    # So few posts are withheld anywhere that no index is worth its keep. What a quote embeds counts too: it is shown.
    for country in sorted(query.not_withheld_in):
        for codes in (activity.c.detail["withheld"], activity.c.object["content", "withheld"]):
            yield func.coalesce(codes.as_string(), "").not_like(f'%"{country}"%')


def _place() -> ColumnElement[Any]:
    return tuple_(activity.c.position, activity.c.id)


def _entry(row: Row[Any]) -> Entry[Cursor]:
    return entry_of(Cursor(row.position, row.id), ActivityKind(row.kind), row.key, row.object_key)
