"""Read sources: by slug or address, in pages, or as the few columns that a caller needs."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import Float, String, cast, func, or_, select, union

from aggregator.domain.activity import SourceRef
from aggregator.domain.source import (
    EVERY_SOURCE,
    OnEdit,
    Policy,
    PollState,
    Source,
    SourceFilter,
    SourceState,
    Undescribed,
)
from aggregator.domain.source_health import CERTAIN_CODES, FAILURES_THAT_COUNT, LATE_BY, StaleSource, is_stale
from storage.polling.outages import excused
from storage.tables.polling import source, source_address

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement, CompoundSelect, Connection

PAGE = 500  # rows in memory at a time

_HEALTH = tuple(source.c[name] for name in StaleSource._fields)
_PRESENT = source.c.state != SourceState.REMOVED.value


class SourceLists:
    """The sources, within one transaction, read only."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, slug: str) -> Source | None:
        """Return a source, unless it was removed."""
        row = self._connection.execute(select(source).where(source.c.slug == slug, _PRESENT)).one_or_none()
        return None if row is None else source_of(row)

    def at(self, kind: str, address: str) -> Source | None:
        """Return the source of an address, including removed ones."""
        row = self._connection.execute(
            select(source).where(source.c.kind == kind, source.c.address == address)
        ).one_or_none()
        return None if row is None else source_of(row)

    def page(self, limit: int, after: str = "", which: SourceFilter = EVERY_SOURCE) -> list[Source]:
        """Return up to `limit` sources, by slug, after the slug `after`."""
        chosen = select(source).where(*conditions_of(which), source.c.slug > after).order_by(source.c.slug).limit(limit)
        return [source_of(row) for row in self._connection.execute(chosen)]

    def each(self, which: SourceFilter = EVERY_SOURCE) -> Iterator[Source]:
        """Yield sources by slug, reading a page at a time."""
        after = ""
        while rows := self.page(PAGE, after, which):
            yield from rows
            if len(rows) < PAGE:
                return
            after = rows[-1].slug

    def count(self, which: SourceFilter = EVERY_SOURCE) -> int:
        """Return the number of sources."""
        counted = select(func.count()).select_from(source).where(*conditions_of(which))
        return self._connection.execute(counted).scalar_one()

    def count_by_state(self) -> Mapping[SourceState, int]:
        """Return the number of sources in each state; states without sources are left out."""
        counted = select(source.c.state, func.count()).where(_PRESENT).group_by(source.c.state)
        return Counter({SourceState(state): count for state, count in self._connection.execute(counted)})

    def stale(self, now: datetime, limit: int) -> list[StaleSource]:
        """Return up to `limit` sources that may show old items, by slug; see `domain.source_health.is_stale`."""
        return [*islice(self.each_stale(now), limit)]

    def each_stale(self, now: datetime, *, excusing_outages: bool = False) -> Iterator[StaleSource]:
        """Yield every source that may show old items, by slug, with a page in memory at a time.

        `excusing_outages` leaves out those that are out of date because of an outage of their host alone.
        """
        chosen = select(source.c.id).where(source.c.id.in_(self._stale(now)))
        if excusing_outages:
            chosen = chosen.where(or_(source.c.state != SourceState.ACTIVE.value, ~excused()))
        ids = self._connection.execute(chosen.order_by(source.c.slug)).scalars().all()  # the one expensive statement
        for start in range(0, len(ids), PAGE):
            page = select(*_HEALTH).where(source.c.id.in_(ids[start : start + PAGE])).order_by(source.c.slug)
            rows = map(_stale_source, self._connection.execute(page))
            yield from (found for found in rows if is_stale(found.state, found, now))

    def _stale(self, now: datetime) -> CompoundSelect[Any]:
        """Select the ids of what `is_stale` accepts, plus what becomes stale within a second, by indexes alone."""
        active = source.c.state == SourceState.ACTIVE.value
        late = source.c.due < now - LATE_BY
        overdue = self._seconds(source.c.due) + 2 * source.c.interval <= (now - LATE_BY).timestamp() + 1
        parts = (
            select(source.c.id).where(source.c.state == SourceState.STOPPED.value),
            select(source.c.id).where(active, source.c.failures >= FAILURES_THAT_COUNT),
            select(source.c.id).where(active, source.c.failures > 0, source.c.last_success.is_(None)),
            select(source.c.id).where(active, source.c.failures > 0, source.c.last_error_code.in_(CERTAIN_CODES)),
            select(source.c.id).where(active, late, overdue),
        )
        return union(*parts)

    def _seconds(self, column: ColumnElement[datetime]) -> ColumnElement[float]:
        """Return a time as Unix seconds."""
        if self._connection.dialect.name == "postgresql":
            return cast(func.extract("epoch", column), Float)
        return cast(func.strftime("%s", column), Float)

    def with_ids(self, ids: Collection[int]) -> list[Source]:
        """Return sources by their ids, also removed ones."""
        return [source_of(row) for row in self._connection.execute(select(source).where(source.c.id.in_(ids)))]

    def with_slugs(self, slugs: Collection[str]) -> list[Source]:
        """Return the sources with these slugs by slug, except removed ones."""
        chosen = select(source).where(source.c.slug.in_(slugs), _PRESENT).order_by(source.c.slug)
        return [source_of(row) for row in self._connection.execute(chosen)]

    def names(self, slugs: Collection[str]) -> dict[str, str]:
        """Return the names of sources by slug, including removed ones."""
        rows = self._connection.execute(select(source.c.slug, source.c.name).where(source.c.slug.in_(slugs)))
        return {row.slug: row.name for row in rows}

    def refs(self, ids: Collection[int]) -> dict[int, SourceRef]:
        """Return slugs and names of sources by id, except removed ones."""
        rows = self._connection.execute(
            select(source.c.id, source.c.slug, source.c.name).where(source.c.id.in_(ids), _PRESENT)
        )
        return {row.id: SourceRef(row.slug, row.name) for row in rows}

    def ids(self, slugs: Collection[str]) -> dict[str, int]:
        """Return ids of sources by slug, except removed ones."""
        rows = self._connection.execute(select(source.c.id, source.c.slug).where(source.c.slug.in_(slugs), _PRESENT))
        return {row.slug: row.id for row in rows}

    def choices(self, limit: int, always: Collection[str] = ()) -> list[SourceRef]:
        """Return the sources that a form offers: the first ones by slug, and those with the slugs `always`."""
        named = select(source.c.slug, source.c.name).where(_PRESENT)
        found = {
            row.slug: SourceRef(row.slug, row.name)
            for row in self._connection.execute(named.order_by(source.c.slug).limit(limit))
        }
        missing = set(always) - found.keys()
        if missing:
            rows = self._connection.execute(named.where(source.c.slug.in_(missing)))
            found.update({row.slug: SourceRef(row.slug, row.name) for row in rows})
        return sorted(found.values(), key=lambda choice: (choice.name.casefold(), choice.slug))

    def each_address(self) -> Iterator[tuple[str, str]]:
        """Yield the slug and each address of the sources, present addresses before former ones."""
        present = select(source.c.slug, source.c.address).where(_PRESENT).order_by(source.c.slug)
        former = select(source.c.slug, source_address.c.address).join(source_address).where(_PRESENT)
        for statement in (present, former.order_by(source_address.c.id.desc())):
            for row in self._connection.execute(statement):
                yield row.slug, row.address

    def slugs_at(self, addresses: Collection[str], kind: str | None = None) -> frozenset[str]:
        """Return the slugs of sources, of one kind or all, at any of these addresses (in lower case)."""
        found = select(source.c.slug).where(_PRESENT, func.lower(source.c.address).in_(addresses))
        if kind is not None:
            found = found.where(source.c.kind == kind)
        return frozenset(self._connection.execute(found).scalars())

    def following(self, kind: str, user_ids: Collection[str]) -> list[Source]:
        """Return the sources of a kind that follow one of these accounts."""
        rows = self._connection.execute(
            select(source).where(_PRESENT, source.c.kind == kind, _user_id().in_(user_ids)).order_by(source.c.slug)
        )
        return [source_of(row) for row in rows]

    def accounts(self, kind: str) -> list[str]:
        """Return the native ids of the accounts that active sources of a kind follow, first added first."""
        active = source.c.state == SourceState.ACTIVE.value
        chosen = select(_user_id()).where(active, source.c.kind == kind, _user_id().is_not(None)).order_by(source.c.id)
        return list(dict.fromkeys(self._connection.execute(chosen).scalars()))

    def slugs_from(self, first: str, limit: int, *, before: bool = False) -> list[tuple[str, str]]:
        """Return slugs and names from a slug on, in order; `before`: those ahead of it, the nearest first."""
        within = source.c.slug < first if before else source.c.slug >= first
        order = source.c.slug.desc() if before else source.c.slug
        chosen = select(source.c.slug, source.c.name).where(within, _PRESENT).order_by(order).limit(limit)
        return [(row.slug, row.name) for row in self._connection.execute(chosen)]

    def slug_taken(self, slug: str) -> bool:
        """Return whether a slug is in use, including removed sources, whose items readers may still request."""
        return self._connection.execute(select(source.c.id).where(source.c.slug == slug)).first() is not None


def conditions_of(which: SourceFilter) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of a filter."""
    yield _PRESENT
    if which.kinds:
        yield source.c.kind.in_(which.kinds)
    if which.state is not None:
        yield source.c.state == which.state.value
    if which.folder:
        yield source.c.folder == which.folder
    if which.managed:
        yield source.c.managed == which.managed
    if which.user_id:
        yield _user_id() == which.user_id
    if which.search:
        text = source.c.name + " " + source.c.slug + " " + source.c.address
        # SQLite ignores the case of ASCII letters only, so other letters are tried in their usual spellings.
        spellings = {which.search}
        if not which.search.isascii():
            spellings |= {which.search.casefold(), which.search.upper(), which.search.capitalize()}
        yield or_(*(text.icontains(spelling, autoescape=True) for spelling in sorted(spellings)))


def _user_id() -> ColumnElement[str]:
    return cast(source.c.options["user_id"].as_string(), String)


def _stale_source(row: Any) -> StaleSource:  # noqa: ANN401  # a row whose columns SQLAlchemy can't type
    found = StaleSource(*row)
    return found._replace(state=SourceState(row.state), interval=timedelta(seconds=row.interval))


def source_of(row: Any, *, unfinished: int = 0) -> Source:  # noqa: ANN401  # a row whose columns SQLAlchemy can't type
    """Build the source of a row."""
    return Source(
        id=row.id,
        slug=row.slug,
        name=row.name,
        kind=row.kind,
        address=row.address,
        host=row.host,
        options=row.options,
        policy=Policy(row.policy),
        state=SourceState(row.state),
        state_reason=row.state_reason,
        every=None if row.every is None else timedelta(seconds=row.every),
        floor=timedelta(seconds=row.floor),
        created=row.created,
        revision=row.revision,
        poll=_poll_state(row, unfinished),
        own_host=row.own_host,
        ceiling=timedelta(seconds=row.ceiling),
        sealed=row.sealed,
        delay=None if row.delay is None else timedelta(seconds=row.delay),
        on_edit=OnEdit(row.on_edit),
        trusted=tuple(row.trusted or ()),
        managed=row.managed,
        undescribed=Undescribed(row.undescribed),
        folder=row.folder,
    )


def _poll_state(row: Any, unfinished: int) -> PollState:  # noqa: ANN401  # as above
    return PollState(
        due=row.due,
        due_reason=row.due_reason,
        failures=row.failures,
        failure_weight=row.strain,
        fetch_state=row.fetch_state,
        interval=timedelta(seconds=row.interval),
        last_polled=row.last_polled,
        last_success=row.last_success,
        last_new=row.last_new,
        last_outcome=row.last_outcome,
        last_error=row.last_error,
        last_error_code=row.last_error_code,
        publishing_profile=row.rhythm,
        pending_redirect=row.moving,
        watch=row.watch,
        daily_cost=row.appetite,
        unfinished=unfinished,
    )
