"""Reading the stream: one activity, a page by keyset, and everything that changed after a revision."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, BigInteger, Select, bindparam, func, select, text, true

from aggregator.domain.activity import Review
from aggregator.domain.matching.repost_grouping import REACH, Stitched, shown_before, stitched
from aggregator.domain.matching.stories import leads
from aggregator.domain.stream import (
    MOST_PINNED,
    Changes,
    Cursor,
    Order,
    Page,
)
from storage.polling.source_lists import source_of
from storage.revision import Stream
from storage.stream.actors import Actors
from storage.stream.content_columns import ACTOR, OWN, activity_of
from storage.stream.facets import facets
from storage.stream.query import StreamQuery
from storage.tables.polling import source
from storage.tables.stream import activity, actor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection

    from aggregator.domain.activity import Activity
    from aggregator.domain.matching.repost_grouping import Entry
    from aggregator.domain.stream import Facets, Query


_object_actor = actor.alias("object_actor")


class StreamReading:
    """The stream as readers get it, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, activity_id: int) -> Activity | None:
        """Return one activity, whatever its state."""
        row = self._connection.execute(_by_id(), {"wanted": activity_id}).one_or_none()
        return None if row is None else activity_of(row)

    def page(self, query: Query) -> Page:
        """Return one page of what is shown, by keyset: its cost does not grow with depth or history."""
        revision = Stream(self._connection).revision()
        if query.after is not None and query.after.back:
            return self._page_before(query, revision)
        return self._page(query, revision)

    def _page(self, query: Query, revision: int, *, end: Cursor | None = None) -> Page:
        """Return the page behind a place; `end` is the place at which it ends at the latest (exclusive)."""
        finding = StreamQuery(self._connection, query)
        stitch = query.stitch and query.order is Order.PUBLISHED
        before: list[Entry[Cursor]] = []
        # Nearly always enough: up to half of a page's entries may collapse before more must be read.
        first = 2 * query.limit + 1 + REACH if stitch else query.limit + 1
        if stitch and query.after is not None:
            before, entries = finding.around(query.after, first, REACH)
        else:
            entries = finding.entries(query.after, first)
        if end is not None:
            entries = takewhile(lambda entry: _stands_before(entry.item, end), entries)
        if stitch:
            shown, last = stitched(entries, [entry.about for entry in before], query.limit)
        else:
            alone = [Stitched(entry.item) for entry in islice(entries, query.limit + 1)]
            shown, last = alone[: query.limit], alone[query.limit - 1].item if len(alone) > query.limit else None
        if last is None and end is not None and shown:
            last = shown[-1].item  # something follows: where the reader comes from
        partial = last is None and finding.ran_out is not None
        pinned = finding.pinned(MOST_PINNED) if query.after is None else ()
        held = self._held([*pinned, *(cursor.id for one in shown for cursor in (one.item, *one.others))])
        if query.by_story and stitch:
            items, others = _led(shown, held)
        else:
            items = [held[one.item.id] for one in shown if one.item.id in held]
            others = {one.item.id: [held[of.id] for of in one.others if of.id in held] for one in shown if one.others}
        return Page(
            items=items,
            next=finding.ran_out if partial else last,
            revision=revision,
            prev=_way_back(query.after, shown),
            partial=partial,
            examined=finding.examined,
            others=others,
            pinned=[held[id_] for id_ in pinned if id_ in held],
        )

    def _page_before(self, query: Query, revision: int) -> Page:
        """Return the page that ends just before a place: the one behind the place where that page begins."""
        here = query.after
        if here is None:
            raise ValueError("A page before needs a place.")
        finding = StreamQuery(self._connection, query)
        stitch = query.stitch and query.order is Order.PUBLISHED
        wanted = query.limit + 1
        nearest = finding.entries(here, 2 * wanted + REACH if stitch else wanted, back=True)
        found = shown_before(nearest, wanted) if stitch else [entry.item for entry in islice(nearest, wanted)]
        start = replace(found[-1], back=False) if len(found) == wanted else finding.ran_out
        page = self._page(replace(query, after=start), revision, end=replace(here, back=False))
        return replace(
            page,
            next=page.next or _including(here, back=False),
            prev=replace(finding.ran_out, back=True) if finding.ran_out is not None else page.prev,
            partial=page.partial or finding.ran_out is not None,
            examined=page.examined + finding.examined,
        )

    def facets(self, query: Query, cohorts: Mapping[str, frozenset[str]]) -> Facets:
        """Count what bears each tag, among the newest activities that fit a query."""
        return facets(self._connection, query, cohorts)

    def _held(self, ids: Iterable[int]) -> dict[int, Activity]:
        """Return activities by id, without those that were hidden since their ids were read."""
        statement = _visible_of(self._connection.dialect.name == "postgresql")
        rows = self._connection.execute(statement, {"ids": list(ids)}).all()
        return {row.id: activity_of(row) for row in rows}

    def in_review(self, state: Review, limit: int) -> list[Activity]:
        """Return the oldest activities in a review state."""
        # The index holds only what is not simply shown; spelled out, since a database does not look into parameters.
        indexed = text("activity.review <> 'published'") if state is not Review.PUBLISHED else true()
        statement = (
            whole()
            .where(activity.c.review == state.value, indexed, activity.c.gone.is_(None))
            .order_by(activity.c.id)
            .limit(limit)
        )
        return [activity_of(row) for row in self._connection.execute(statement)]

    def changes(self, after: int, limit: int) -> Changes:
        """Return what changed after a revision, each thing once and as it is now, in revision order."""
        # Everything up to this revision is visible to the statements below; what commits meanwhile comes next time.
        newest = Stream(self._connection).revision()
        held = [activity_of(row) for row in self._changed(whole(), activity.c.revision, after, newest, limit)]
        sources = [source_of(row) for row in self._changed(select(source), source.c.revision, after, newest, limit)]
        actors = self._changed(select(actor), actor.c.revision, after, newest, limit)
        revisions = sorted(one.revision for many in (held, sources, actors) for one in many)
        more = len(revisions) > limit
        upto = revisions[limit - 1] if more else newest
        return Changes(
            activities=[one for one in held if one.visible and one.revision <= upto],
            gone=[(one.id, one.revision) for one in held if not one.visible and one.revision <= upto],
            sources=[one for one in sources if one.revision <= upto],
            actors=[(Actors.actor_of(row), row.revision) for row in actors if row.revision <= upto],
            upto=upto,
            more=more,
        )

    def _changed(
        self, selection: Select[Any], revision: ColumnElement[int], after: int, newest: int, limit: int
    ) -> Sequence[Any]:
        """Return up to one row more than asked for, so that the caller sees whether there is more."""
        statement = selection.where(revision > after, revision <= newest).order_by(revision).limit(limit + 1)
        return self._connection.execute(statement).all()


def _led(
    shown: Sequence[Stitched[Cursor]], held: Mapping[int, Activity]
) -> tuple[list[Activity], dict[int, Sequence[Activity]]]:
    """Return what leads each story that is shown, and by its id the rest of the story, in the order of the stream."""
    items: list[Activity] = []
    others: dict[int, Sequence[Activity]] = {}
    for one in shown:
        story = [held[place.id] for place in (one.item, *one.others) if place.id in held]
        if not story:
            continue
        lead = min(story, key=leads)  # the first of those that are alike
        items.append(lead)
        rest = [other for other in story if other is not lead]
        if rest:
            others[lead.id] = rest
    return items, others


@cache
def _by_id() -> Select[Any]:
    return whole().where(activity.c.id == bindparam("wanted"))


@cache
def _visible_of(is_postgresql: bool) -> Select[Any]:
    """Return the statement for those of many IDs that are shown; PostgreSQL gets them as one array."""
    ids = bindparam("ids", type_=ARRAY(BigInteger)) if is_postgresql else bindparam("ids", expanding=True)
    return whole().where(
        activity.c.id == func.any(ids) if is_postgresql else activity.c.id.in_(ids), activity.c.visible
    )


@cache
def whole() -> Select[Any]:
    """Select activities with everything that `content.activity_of` needs."""
    return (
        select(
            *(activity.c[name] for name in OWN),  # not the search text, which is as long as the text
            source.c.slug.label("source_slug"),
            source.c.name.label("source_name"),
            *(actor.c[name].label(f"actor_{name}") for name in ACTOR),
            *(_object_actor.c[name].label(f"object_actor_{name}") for name in ACTOR),
        )
        .join(source, source.c.id == activity.c.source_id)
        .outerjoin(actor, actor.c.id == activity.c.actor_id)
        .outerjoin(_object_actor, _object_actor.c.id == activity.c.object_actor_id)
    )


def _way_back(after: Cursor | None, shown: Sequence[Stitched[Cursor]]) -> Cursor | None:
    """Return the place before which the page before ends; None on the first page."""
    if after is None:
        return None
    return replace(shown[0].item, back=True) if shown else _including(after, back=True)


def _including(place: Cursor, *, back: bool) -> Cursor:
    """Return a place from which one finds what stands at this one, too."""
    towards_newer = back is (place.order is Order.PUBLISHED)
    return replace(place, id=max(place.id - 1, 0) if towards_newer else place.id + 1, back=back)


def _stands_before(one: Cursor, end: Cursor) -> bool:
    here, there = (one.position, one.id), (end.position, end.id)
    return here > there if end.order is Order.PUBLISHED else here < there
