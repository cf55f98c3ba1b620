"""Read the stream: one activity, a page by keyset, or all changes after a revision."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, BigInteger, Select, Text, bindparam, exists, func, literal_column, select, text, true

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
from storage.stream.content_columns import ACTOR, ACTORS, OWN, activity_of, ids_only_of
from storage.stream.facets import facets
from storage.stream.item_cache import ITEM_CACHE
from storage.stream.query import MOST_EXAMINED, StreamQuery
from storage.stream.statistics import statistics
from storage.tables.polling import source
from storage.tables.stream import activity, activity_tag, actor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection

    from aggregator.domain.activity import Activity
    from aggregator.domain.matching.repost_grouping import Entry
    from aggregator.domain.stream import Facets, Query
    from storage.stream.item_cache import ItemCache
    from storage.stream.statistics import StreamStatistics


_object_actor, _quoted_actor = actor.alias("object_actor"), actor.alias("quoted_actor")


class StreamReading:
    """The stream for readers, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_postgresql = connection.dialect.name == "postgresql"

    def get(self, activity_id: int) -> Activity | None:
        """Return one activity in any state."""
        row = self._connection.execute(_by_id(), {"wanted": activity_id}).one_or_none()
        return None if row is None else activity_of(row, self._connection)

    def page(self, query: Query) -> Page:
        """Return one visible page, by keyset: its cost doesn't grow with depth or history."""
        revision = Stream(self._connection).revision()
        if query.after is not None and query.after.back:
            return self._page_before(query, revision)
        return self._page(query, revision)

    def _page(self, query: Query, revision: int, *, end: Cursor | None = None) -> Page:
        """Return the page after a position; `end` is an upper bound (exclusive)."""
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
            shown, last = stitched(entries, before, query.limit)
        else:
            alone = [Stitched(entry.item) for entry in islice(entries, query.limit + 1)]
            shown, last = alone[: query.limit], alone[query.limit - 1].item if len(alone) > query.limit else None
        if last is None and end is not None and shown:
            last = shown[-1].item  # more follows: the reader came from there
        partial = last is None and finding.ran_out is not None
        pinned = finding.pinned(MOST_PINNED) if query.after is None else ()
        by_id = self._visible_items(
            [*pinned, *(cursor.id for group in shown for cursor in (group.item, *group.others))]
        )
        grouped = _grouped_by_story if query.by_story and stitch else _grouped_by_original
        items, others = grouped(shown, by_id)
        return Page(
            items=items,
            next=finding.ran_out if partial else last,
            revision=revision,
            prev=_previous_end(query.after, shown),
            partial=partial,
            examined=finding.examined,
            others=others,
            pinned=[by_id[id_] for id_ in pinned if id_ in by_id],
        )

    def _page_before(self, query: Query, revision: int) -> Page:
        """Return the page that ends just before a position: the page after the position where that page begins."""
        here = query.after
        if here is None:
            raise ValueError("A previous page needs a position.")
        finding = StreamQuery(self._connection, query)
        stitch = query.stitch and query.order is Order.PUBLISHED
        size = query.limit + 1
        nearest = finding.entries(here, 2 * size + REACH if stitch else size, back=True)
        found = shown_before(nearest, size) if stitch else [entry.item for entry in islice(nearest, size)]
        start = replace(found[-1], back=False) if len(found) == size else finding.ran_out
        page = self._page(replace(query, after=start), revision, end=replace(here, back=False))
        return replace(
            page,
            next=page.next or _including(here, back=False),
            prev=replace(finding.ran_out, back=True) if finding.ran_out is not None else page.prev,
            partial=page.partial or finding.ran_out is not None,
            examined=page.examined + finding.examined,
        )

    def present(self, tag_type: str, values: Sequence[str]) -> list[str]:
        """Return those values of a tag type, such as "network" or "kind", that visible activities have, in order."""
        found = [exists().where(activity_tag.c.tag == f"{tag_type}:{value}") for value in values]
        row = self._connection.execute(select(*found)).one() if found else ()
        return [value for value, has_any in zip(values, row, strict=True) if has_any]

    def has_topic(self, slug: str) -> bool:
        """Return whether a visible activity has a topic."""
        found = select(exists().where(activity_tag.c.tag == f"topic:{slug}"))
        return bool(self._connection.execute(found).scalar_one())

    def facets(self, query: Query, cohorts: Mapping[str, frozenset[str]], *, most: int = MOST_EXAMINED) -> Facets:
        """Count tags among the newest activities that match a query."""
        return facets(self._connection, query, cohorts, most=most)

    def statistics(self, query: Query) -> StreamStatistics:
        """Count the newest activities that match a query, by day and by tag."""
        return statistics(self._connection, query)

    def _visible_items(self, ids: Iterable[int]) -> dict[int, Activity]:
        """Return activities by id, except those that were hidden meanwhile."""
        kept: ItemCache | None = self._connection.get_execution_options().get(ITEM_CACHE)
        if kept is None:
            rows = self._connection.execute(_visible_of(self._is_postgresql), {"ids": list(ids)}).all()
            return {row.id: activity_of(row, self._connection) for row in rows}
        versions = self._connection.execute(_versions_of(), {"ids": list(ids)}).all()
        items = {id_: item for id_, *version in versions if (item := kept.get(id_, version)) is not None}
        missing = [row.id for row in versions if row.id not in items]
        if missing:
            for row in self._connection.execute(_missing_of(), {"ids": missing}).all():
                items[row.id] = item = activity_of(row, self._connection)
                kept.put(row.id, list(row[-len(_VERSION) :]), item)
        return items

    def others_of_story(self, item: Activity) -> list[Activity]:
        """Return the other visible activities of an item's story, newest first; a post of several sources once."""
        if item.story is None:
            return []
        statement = (
            select(activity.c.id, activity.c.key)
            .where(activity.c.story == item.story, activity.c.visible, activity.c.id != item.id)
            .order_by(activity.c.position.desc(), activity.c.id.desc())
            .limit(REACH)
        )
        by_key: dict[str, int] = {}
        for row in self._connection.execute(statement):
            by_key.setdefault(row.key, row.id)
        by_id = self._visible_items(by_key.values())
        return [by_id[id_] for id_ in by_key.values() if id_ in by_id]

    def thread_sizes(self, items: Iterable[Activity]) -> dict[str, int]:
        """Return the number of visible posts in the threads of these items."""
        threads = {item.thread for item in items if item.thread}
        if not threads:
            return {}
        counted = select(activity.c.thread, func.count(activity.c.key.distinct()).label("posts"))
        rows = self._connection.execute(
            counted.where(activity.c.thread.in_(threads), activity.c.visible).group_by(activity.c.thread)
        )
        return {row.thread: row.posts for row in rows}

    def in_review(self, state: Review, limit: int) -> list[Activity]:
        """Return the oldest activities in a review state."""
        # The partial index excludes published items; the condition is a literal because planners don't use parameters.
        indexed = text("activity.review <> 'published'") if state is not Review.PUBLISHED else true()
        statement = (
            whole()
            .where(activity.c.review == state.value, indexed, activity.c.gone.is_(None))
            .order_by(activity.c.id)
            .limit(limit)
        )
        return [activity_of(row, self._connection) for row in self._connection.execute(statement)]

    def changes(self, after: int, limit: int) -> Changes:
        """Return changes after a revision, each item once in its current state, in revision order."""
        # The statements below see all changes up to this revision; later commits follow in the next request.
        newest = Stream(self._connection).revision()
        changed_rows = self._changed(whole(), activity.c.revision, after, newest, limit)
        activities = [activity_of(row, self._connection) for row in changed_rows]
        sources = [source_of(row) for row in self._changed(select(source), source.c.revision, after, newest, limit)]
        actors = self._changed(select(actor), actor.c.revision, after, newest, limit)
        revisions = sorted(changed.revision for many in (activities, sources, actors) for changed in many)
        more = len(revisions) > limit
        upto = revisions[limit - 1] if more else newest
        return Changes(
            activities=[changed for changed in activities if changed.visible and changed.revision <= upto],
            gone=[
                (changed.id, changed.revision)
                for changed in activities
                if not changed.visible and changed.revision <= upto
            ],
            sources=[changed for changed in sources if changed.revision <= upto],
            actors=[
                (Actors.actor_of(row), row.revision)
                for row in actors
                if row.revision <= upto and row.network not in ids_only_of(self._connection)
            ],
            upto=upto,
            more=more,
        )

    def _changed(
        self, selection: Select[Any], revision: ColumnElement[int], after: int, newest: int, limit: int
    ) -> Sequence[Any]:
        """Return up to one row more than the limit, so that the caller sees whether there are more."""
        statement = selection.where(revision > after, revision <= newest).order_by(revision).limit(limit + 1)
        return self._connection.execute(statement).all()


def _grouped_by_original(
    shown: Sequence[Stitched[Cursor]], by_id: Mapping[int, Activity]
) -> tuple[list[Activity], dict[int, Sequence[Activity]]]:
    """Return the first item of each group, and by its id the other reposts of the same original."""
    items = [by_id[group.item.id] for group in shown if group.item.id in by_id]
    others: dict[int, Sequence[Activity]] = {
        group.item.id: [by_id[other.id] for other in group.others if other.id in by_id]
        for group in shown
        if group.others
    }
    return items, others


def _grouped_by_story(
    shown: Sequence[Stitched[Cursor]], by_id: Mapping[int, Activity]
) -> tuple[list[Activity], dict[int, Sequence[Activity]]]:
    """Return the lead item of each story, and by its id the rest of the story, in stream order."""
    items: list[Activity] = []
    others: dict[int, Sequence[Activity]] = {}
    for group in shown:
        story = [by_id[place.id] for place in (group.item, *group.others) if place.id in by_id]
        if not story:
            continue
        lead = min(story, key=leads)  # the first of equals
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
    """Return the statement that selects visible activities by id; PostgreSQL gets the ids as one array."""
    ids = bindparam("ids", type_=ARRAY(BigInteger)) if is_postgresql else bindparam("ids", expanding=True)
    return whole().where(
        activity.c.id == func.any(ids) if is_postgresql else activity.c.id.in_(ids), activity.c.visible
    )


# The versions of the rows that an item is read from, see `item_cache`.
_VERSION = [literal_column(f"{name}.xmin", Text) for name in ("activity", "source", *ACTORS)]


@cache
def _versions_of() -> Select[Any]:
    """Return the statement that selects the versions of visible activities by id."""
    ids = bindparam("ids", type_=ARRAY(BigInteger))
    return _joined(select(activity.c.id, *_VERSION)).where(activity.c.id == func.any(ids), activity.c.visible)


@cache
def _missing_of() -> Select[Any]:
    """Return the statement that selects visible activities by id, with their versions."""
    return _visible_of(True).add_columns(*_VERSION)


@cache
def whole() -> Select[Any]:
    """Select activities with all columns that `content_columns.activity_of` needs."""
    return _joined(
        select(
            *(activity.c[name] for name in OWN),  # without the search text, which is as long as the text
            source.c.slug.label("source_slug"),
            source.c.name.label("source_name"),
            *(actor.c[name].label(f"actor_{name}") for name in ACTOR),
            *(_object_actor.c[name].label(f"object_actor_{name}") for name in ACTOR),
            *(_quoted_actor.c[name].label(f"quoted_actor_{name}") for name in ACTOR),
        )
    )


def _joined(selection: Select[Any]) -> Select[Any]:
    """Join an activity with the rows that its item is read from."""
    return (
        selection.join(source, source.c.id == activity.c.source_id)
        .outerjoin(actor, actor.c.id == activity.c.actor_id)
        .outerjoin(_object_actor, _object_actor.c.id == activity.c.object_actor_id)
        .outerjoin(_quoted_actor, _quoted_actor.c.id == activity.c.quoted_actor_id)
    )


def _previous_end(after: Cursor | None, shown: Sequence[Stitched[Cursor]]) -> Cursor | None:
    """Return the position before which the previous page ends; None on the first page."""
    if after is None:
        return None
    return replace(shown[0].item, back=True) if shown else _including(after, back=True)


def _including(place: Cursor, *, back: bool) -> Cursor:
    """Return a position from which the item at this position is included."""
    towards_newer = back is (place.order is Order.PUBLISHED)
    return replace(place, id=max(place.id - 1, 0) if towards_newer else place.id + 1, back=back)


def _stands_before(cursor: Cursor, end: Cursor) -> bool:
    here, there = (cursor.position, cursor.id), (end.position, end.id)
    return here > there if end.order is Order.PUBLISHED else here < there
