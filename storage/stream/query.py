"""Find the stream's entries that match a query, in order, with bounded work.

Every filter is a set of tags, and `activity_tag` lists the activities of each tag in stream order. The rarest filter
leads: its entries are the candidates, and each is tested against the other filters. If even the rarest filter is
common and the filters rarely match together, the candidates run out before the page is full; the page then has the
position that the search reached.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, and_, bindparam, exists, func, select, text, tuple_, union, union_all

from aggregator.domain.activity import ActivityKind
from aggregator.domain.matching.repost_grouping import entry_of, part_of_story
from aggregator.domain.stream import Cursor, Order
from storage.stream import full_text
from storage.tables.polling import source
from storage.tables.stream import activity, activity_tag, activity_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import ColumnElement, CompoundSelect, Connection, FromClause, Select

    from aggregator.domain.matching.repost_grouping import Entry
    from aggregator.domain.search_query import Search
    from aggregator.domain.stream import Query

MOST_EXAMINED = 10_000  # candidates per page
_SEARCH_COST = 2  # the cost of a candidate whose text must be searched, in candidates
_COUNTED = 1000  # entries from which a filter counts as common
_RARE = 2_500  # activities up to which all matches of a search are examined
_MOST_BEFORE = 4000  # candidates for the items just before a page; beyond, a repost may be shown again
_EVENTS = "event"

_KINDS = {kind.value: kind for kind in ActivityKind}
_SAID = (activity.c.kind, activity.c.key, activity.c.object_key, activity.c.story, activity.c.source_id)


class StreamQuery:
    """The search for a query's entries, within one transaction; counts its work.

    Attributes:
        examined: candidates examined so far.
        ran_out: set if the search stopped before the end of the stream.
    """

    def __init__(self, connection: Connection, query: Query, *, most: int | None = None) -> None:
        self._connection = connection
        self._query = query
        self._groups = _groups(query, connection)
        self._is_postgresql = connection.dialect.name == "postgresql"
        self._most = MOST_EXAMINED if most is None else most
        self._words_are_rare: bool | None = None
        self.examined = 0
        self.ran_out: Cursor | None = None

    def entries(self, start: Cursor | None, first: int, *, back: bool = False) -> Iterator[Entry[Cursor]]:
        """Yield entries from a position on (exclusive) in the query's order, or backwards.

        Args:
            start: the position; None: the beginning.
            first: the expected number of entries needed.
            back: backwards.
        """
        if self._is_plain:
            yield from self._all(start, first, newest_first=not back)
            return
        newest_first = (self._query.order is Order.PUBLISHED) is not back
        if self._query.search is not None and self._has_few_matches():
            yield from self._search_matches(start, first, newest_first=newest_first)
            return
        yield from self._by_candidates(start, first, newest_first=newest_first)

    def around(self, start: Cursor, first: int, reach: int) -> tuple[list[Entry[Cursor]], Iterator[Entry[Cursor]]]:
        """Return the entries up to and including a position, newest first, and those after it as `entries` does.

        Args:
            start: the position, in a stream ordered newest first.
            first: the expected number of entries needed after it.
            reach: the maximum number before it.
        """
        at = replace(start, id=start.id - 1)
        if self._is_plain:
            values = {**self._parameters(at, reach, "newer"), **self._parameters(start, first, "older")}
            found = self._connection.execute(_statement_around(*self._bounds), values).all()
            rows = sorted(map(tuple, found), reverse=True)  # by position and id, which is unique
            place = (start.position, start.id)
            count = sum(row[:2] >= place for row in rows)
            before = [self._entry(row) for row in rows[:count]]
            return before, self._all(start, first, newest_first=True, found=rows[count:])
        nearest = StreamQuery(self._connection, self._query, most=_MOST_BEFORE).entries(at, reach, back=True)
        return list(islice(nearest, reach))[::-1], self.entries(start, first)

    def newest(self, most: int) -> tuple[FromClause, FromClause]:
        """Return the ids of the newest matching entries, to count them, and the candidates among which they are."""
        if self._query.search is not None and self._has_few_matches():
            matching = self._holding(self._query.search, None, most, newest_first=True).subquery()
            return matching, matching
        leading, others = self._leading(None, newest_first=True)
        candidates = self._candidates(leading, None, most, newest_first=True)
        if not others and self._query.search is None and not self._query.not_withheld_in:
            return select(candidates.c.position, candidates.c.id).subquery(), candidates
        return self._fitting(candidates, others, newest_first=True).subquery(), candidates

    def pinned(self, most: int) -> Sequence[int]:
        """Return the ids of pinned matching items, newest first."""
        query = self._query
        if query.search is not None or query.order is not Order.PUBLISHED:
            return ()  # a search should show the best matches first
        statement = (
            select(activity.c.id)
            .where(activity.c.pinned_until.is_not(None), activity.c.visible, *_between(activity, query))
            .where(*(_bears(group, activity.c.position, activity.c.id) for group in self._groups))
            .where(*_not_withheld(query.not_withheld_in))
            .order_by(*_ordered(activity, newest_first=True))
            .limit(most)
        )
        return self._connection.execute(statement).scalars().all()

    @property
    def _is_plain(self) -> bool:
        """Whether the query has no filter, so that the stream itself is read."""
        return self._query.order is Order.PUBLISHED and self._query.search is None and not self._groups

    def _all(
        self, start: Cursor | None, size: int, *, newest_first: bool, found: Sequence[Sequence[Any]] | None = None
    ) -> Iterator[Entry[Cursor]]:
        """Yield all entries of the stream; `found` are the first ones, if already read."""
        while True:
            if found is None:
                statement = _stream_statement("on", newest_first, start is not None, *self._bounds)
                found = self._connection.execute(statement, self._parameters(start, size, "on")).all()
            yield from map(self._entry, found)
            if len(found) < size:
                return
            start, size, found = Cursor(*found[-1][:2]), 2 * size, None

    @property
    def _bounds(self) -> tuple[bool, bool, tuple[str, ...]]:
        """Return the arguments of `_stream_statement` that the query determines."""
        query = self._query
        return query.since is not None, query.until is not None, tuple(sorted(query.not_withheld_in))

    def _parameters(self, start: Cursor | None, size: int, name: str) -> dict[str, object]:
        """Return the parameters of the statement `_stream_statement`."""
        values: dict[str, object] = {f"{name}_size": size}
        if start is not None:
            values |= {f"{name}_position": start.position, f"{name}_id": start.id}
        bounds = {"since": self._query.since, "until": self._query.until}
        return values | {bound: moment for bound, moment in bounds.items() if moment is not None}

    def _by_candidates(self, start: Cursor | None, first: int, *, newest_first: bool) -> Iterator[Entry[Cursor]]:
        leading, others = self._leading(start, newest_first=newest_first)
        cost = _SEARCH_COST if self._query.search is not None else 1
        size, spent = 4 * first, 0
        while True:
            size = min(size, (self._most - spent) // cost)
            if size <= 0:
                self.ran_out = start
                return
            candidates = self._candidates(leading, start, size, newest_first=newest_first)
            found = self._connection.execute(self._fitting(candidates, others, newest_first=newest_first)).all()
            yield from map(self._entry, found)
            newest_last = _ordered(candidates, newest_first=not newest_first)
            last = self._connection.execute(
                select(func.count().over().label("looked_at"), candidates.c.position, candidates.c.id)
                .order_by(*newest_last)
                .limit(1)
            ).one_or_none()
            self.examined += last.looked_at if last else 0
            if last is None or last.looked_at < size:
                return
            spent += size * cost
            start, size = Cursor(last.position, last.id, self._query.order), 4 * size

    def _search_matches(self, start: Cursor | None, first: int, *, newest_first: bool) -> Iterator[Entry[Cursor]]:
        """Yield entries from all matches of a search with few matches."""
        search = self._query.search
        if search is None:  # for the type checker: the caller has checked
            return
        size = 2 * first
        while True:
            holding = self._holding(search, start, size, newest_first=newest_first).cte("holding")
            statement: Select[Any] = (
                select(holding.c.position, holding.c.id, *_SAID)
                .join(activity, activity.c.id == holding.c.id)
                .order_by(*_ordered(holding, newest_first=newest_first))
            )
            found = self._connection.execute(statement).all()
            yield from map(self._entry, found)
            if len(found) < size:
                return
            start, size = Cursor(found[-1].position, found[-1].id), 4 * size

    def _holding(self, search: Search, start: Cursor | None, size: int, *, newest_first: bool) -> Select[Any]:
        """Select the first positions of activities that match a search and have a tag of every group."""
        shown: FromClause = activity_words if self._is_postgresql else activity
        place: FromClause = shown
        statement = select(shown.c.id)
        if self._query.order is Order.EVENT:
            place = activity_tag.alias("begins")
            statement = statement.join(place, and_(place.c.id == shown.c.id, place.c.tag == _EVENTS))
        if self._query.not_withheld_in and shown is not activity:
            statement = statement.join(activity, activity.c.id == shown.c.id)
        return (
            statement.add_columns(place.c.position)
            .where(full_text.found(search, postgresql=self._is_postgresql))
            .where(*(_bears(group, shown.c.position, shown.c.id) for group in self._groups))
            .where(*_between(place, self._query), *_not_withheld(self._query.not_withheld_in))
            .where(*_beyond_of(place.c.position, shown.c.id, start, newest_first=newest_first))
            .order_by(*_directed(place.c.position, shown.c.id, newest_first=newest_first))
            .limit(size)
        )

    def _has_few_matches(self) -> bool:
        """Return whether a search has so few matches that all can be examined."""
        search = self._query.search
        if self._words_are_rare is None and search is not None:
            estimate = self._estimated(search) if self._is_postgresql else None
            if estimate is not None and not _RARE / 4 < estimate < 2 * _RARE:
                self._words_are_rare = estimate < _RARE
            else:
                holding = full_text.ids(search, postgresql=self._is_postgresql).limit(_RARE + 1).subquery()
                count: int = self._connection.execute(select(func.count()).select_from(holding)).scalar_one()
                self._words_are_rare = count <= _RARE
        return bool(self._words_are_rare)

    def _estimated(self, search: Search) -> float:
        """Return PostgreSQL's estimate of a search's matches; counting common words would take long."""
        sentence = "EXPLAIN (FORMAT JSON) SELECT 1 FROM activity_words WHERE words @@ CAST(:words AS tsquery)"
        plan: Any = self._connection.execute(text(sentence), {"words": full_text.tsquery(search)}).scalar_one()
        rows: float = plan[0]["Plan"]["Plan Rows"]
        return rows

    def _leading(self, start: Cursor | None, *, newest_first: bool) -> tuple[Sequence[str] | None, list[Sequence[str]]]:
        """Return the rarest filter and the others; None leads if the only filter is the search."""
        if self._query.order is Order.EVENT:
            return (_EVENTS,), self._groups
        if len(self._groups) <= 1:
            return (self._groups[0] if self._groups else None), []
        counts = [
            select(func.count()).select_from(self._listed(group, start, _COUNTED, newest_first=newest_first).subquery())
            for group in self._groups
        ]
        counted = self._connection.execute(select(*(count.scalar_subquery() for count in counts))).one()
        rarest = min(range(len(counted)), key=lambda place: counted[place])
        return self._groups[rarest], [group for place, group in enumerate(self._groups) if place != rarest]

    def _candidates(
        self, leading: Sequence[str] | None, start: Cursor | None, size: int, *, newest_first: bool
    ) -> FromClause:
        if leading is not None:
            return self._listed(leading, start, size, newest_first=newest_first).cte("candidate")
        whole = (
            select(activity.c.position, activity.c.id)
            .where(activity.c.visible, *_beyond(activity, start, newest_first=newest_first))
            .where(*_between(activity, self._query))
            .order_by(*_ordered(activity, newest_first=newest_first))
        )
        return whole.limit(size).cte("candidate")

    def _listed(self, tags: Sequence[str], start: Cursor | None, size: int, *, newest_first: bool) -> Select[Any]:
        """Select the first positions of activities with one of these tags: one list per tag, then merged."""
        lists = [
            select(activity_tag.c.position, activity_tag.c.id)
            .where(activity_tag.c.tag == tag, *_beyond(activity_tag, start, newest_first=newest_first))
            .where(*_between(activity_tag, self._query))
            .order_by(*_ordered(activity_tag, newest_first=newest_first))
            .limit(size)
            for tag in tags
        ]
        if len(lists) == 1:
            return lists[0]
        merged = union(*(select(listed.subquery()) for listed in lists)).subquery()
        return select(merged.c.position, merged.c.id).order_by(*_ordered(merged, newest_first=newest_first)).limit(size)

    def _fitting(self, candidates: FromClause, others: Sequence[Sequence[str]], *, newest_first: bool) -> Select[Any]:
        by_event = self._query.order is Order.EVENT
        position = activity.c.position if by_event else candidates.c.position
        statement = (
            select(candidates.c.position, candidates.c.id, *_SAID)
            .join(activity, activity.c.id == candidates.c.id)
            .where(
                *(_bears(group, position, candidates.c.id) for group in others),
                *_not_withheld(self._query.not_withheld_in),
            )
            .order_by(*_ordered(candidates, newest_first=newest_first))
        )
        if self._query.search is not None:
            statement = statement.where(
                full_text.holds(self._query.search, candidates.c.id, postgresql=self._is_postgresql)
            )
        return statement

    def _entry(self, row: Sequence[Any]) -> Entry[Cursor]:
        position, id_, kind, key, object_key, story, source_id = row
        place = Cursor(position, id_, self._query.order)
        if self._query.by_story:
            return part_of_story(place, _KINDS[kind], key, story, source_id)
        return entry_of(place, _KINDS[kind], key, object_key)


@lru_cache(maxsize=256)
def _stream_statement(
    name: str, newest_first: bool, begins: bool, since: bool, until: bool, countries: tuple[str, ...]
) -> Select[Any]:
    """Return the statement that reads the stream in order; cached, since building it takes longer than running it."""
    moment, id_ = (
        bindparam(f"{name}_position", type_=activity.c.position.type),
        bindparam(f"{name}_id", type_=BigInteger),
    )
    place = tuple_(activity.c.position, activity.c.id)
    beyond = [place < tuple_(moment, id_) if newest_first else place > tuple_(moment, id_)] if begins else []
    position = activity.c.position
    from_on = [position >= bindparam("since", type_=position.type)] if since else []
    before = [position < bindparam("until", type_=position.type)] if until else []
    return (
        select(activity.c.position, activity.c.id, *_SAID)
        .where(activity.c.visible, *beyond, *from_on, *before, *_not_withheld(countries))
        .order_by(*_ordered(activity, newest_first=newest_first))
        .limit(bindparam(f"{name}_size", type_=BigInteger))
    )


@lru_cache(maxsize=64)
def _statement_around(since: bool, until: bool, countries: tuple[str, ...]) -> CompoundSelect[Any]:
    """Return the statement that reads both directions from a position in one round trip."""
    newer = _stream_statement("newer", False, True, since, until, countries)
    older = _stream_statement("older", True, True, since, until, countries)
    return union_all(select(newer.subquery()), select(older.subquery()))


def _groups(query: Query, connection: Connection) -> list[Sequence[str]]:
    """Return the filters of a query as sets of tags; an activity must have one tag of each."""
    ids: Sequence[int] = ()
    if query.sources:
        chosen = select(source.c.id).where(source.c.slug.in_(sorted(query.sources)))
        ids = connection.execute(chosen).scalars().all() or (0,)  # no known tag: no activity has this one
    named: list[tuple[str, Sequence[object]]] = [
        ("source", ids),
        ("topic", sorted(query.topics)),
        ("country", sorted(query.countries)),
        ("lang", sorted(query.languages)),
        ("kind", sorted(kind.value for kind in query.kinds)),
        ("network", sorted(query.networks)),
    ]
    every = [[f"{name}:{value}" for value in values] for name, values in named if values]
    return [*every, *([f"has:{what}"] for what in sorted(query.has))]


def _bears(tags: Sequence[str], position: ColumnElement[Any], id_: ColumnElement[Any]) -> ColumnElement[bool]:
    other = activity_tag.alias()
    return exists().where(other.c.tag.in_(tags), other.c.position == position, other.c.id == id_)


def _beyond(placed: FromClause, start: Cursor | None, *, newest_first: bool) -> Iterator[ColumnElement[bool]]:
    return _beyond_of(placed.c.position, placed.c.id, start, newest_first=newest_first)


def _beyond_of(
    position: ColumnElement[Any], id_: ColumnElement[Any], start: Cursor | None, *, newest_first: bool
) -> Iterator[ColumnElement[bool]]:
    if start is not None:
        place = tuple_(position, id_)
        yield place < (start.position, start.id) if newest_first else place > (start.position, start.id)


def _between(placed: FromClause, query: Query) -> Iterator[ColumnElement[bool]]:
    if query.since is not None:
        yield placed.c.position >= query.since
    if query.until is not None:
        yield placed.c.position < query.until


def _ordered(placed: FromClause, *, newest_first: bool) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    return _directed(placed.c.position, placed.c.id, newest_first=newest_first)


def _directed(
    position: ColumnElement[Any], id_: ColumnElement[Any], *, newest_first: bool
) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    return (position.desc(), id_.desc()) if newest_first else (position.asc(), id_.asc())


def _not_withheld(countries: Iterable[str]) -> Iterator[ColumnElement[bool]]:
    """Return the condition for items not withheld in some countries; too rare to need an index. Quoted posts count."""
    quoted = activity.c.object["object", "content", "withheld"]
    for country in sorted(countries):
        for codes in (activity.c.detail["withheld"], activity.c.object["content", "withheld"], quoted):
            yield func.coalesce(codes.as_string(), "").not_like(f'%"{country}"%')
