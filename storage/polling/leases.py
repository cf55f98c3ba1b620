"""Store the leases of sources: which poll may store results of which source, and until when.

They have a narrow table of their own. A poll begins and ends a lease, and a version of the wide row of the source with
its index entries for each of these would cost more than the poll's other statements.
"""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import case, delete, exists, func, literal, select, update

from storage.engine import upsert
from storage.revision import Stream
from storage.tables.polling import source, source_lease

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import CTE, ColumnElement, Connection, Subquery

    from aggregator.domain.polling.results import PollRecord

_GIVEN_BACK = {"token": None, "until": None}
_CLAIMED = ("kind", "host", "token", "until")


class Lease(NamedTuple):
    """A lease, or what is known of the last ones."""

    token: str | None = None  # None: it ended
    until: datetime | None = None
    unfinished: int = 0  # polls in a row that started and never ended, including a running one


class Claimed(NamedTuple):
    """A due source under our lease."""

    id: int
    kind: str
    host: str
    suspect: bool = False  # its last polls never ended, so it may be the one that ends its worker


class Leases:
    """The leases, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, source_ids: Collection[int]) -> dict[int, Lease]:
        """Return the leases by source; sources without one are left out, unless their last polls never ended."""
        rows = self._connection.execute(select(source_lease).where(source_lease.c.source_id.in_(source_ids)))
        return {row.source_id: Lease(row.token, row.until, row.unfinished) for row in rows}

    def claim(
        self, source_ids: Collection[int], which: ColumnElement[bool], now: datetime, until: datetime, token: str
    ) -> list[Claimed]:
        """Lease the sources that fulfill a condition and that no other poll has leased."""
        Stream(self._connection).require_lock()
        if not source_ids:
            return []
        ours = literal(token, source_lease.c.token.type), literal(until, source_lease.c.until.type)
        chosen = select(source.c.id, source.c.kind, source.c.host, *ours).where(source.c.id.in_(source_ids), which)
        claimed = upsert.statement(
            self._connection,
            source_lease,
            index=("source_id",),
            changing=_CLAIMED,
            where=source_lease.c.until.is_(None) | (source_lease.c.until <= now),
            rows=(("source_id", *_CLAIMED), chosen),
        ).returning(source_lease.c.source_id, source_lease.c.kind, source_lease.c.host, source_lease.c.unfinished)
        rows = self._connection.execute(claimed)
        return [Claimed(row.source_id, row.kind, row.host, row.unfinished > 0) for row in rows]

    def begin(self, source_ids: Collection[int], token: str, until: datetime) -> Mapping[int, int]:
        """Renew the leases that are still ours; return their unfinished polls by source, which counts this one."""
        begun = {"until": until, "unfinished": source_lease.c.unfinished + 1}
        renewed = update(source_lease).where(*_ours(source_ids, token)).values(begun)
        rows = self._connection.execute(renewed.returning(source_lease.c.source_id, source_lease.c.unfinished))
        return {row.source_id: row.unfinished for row in rows}

    def release(self, source_ids: Collection[int], token: str, *, begun: bool = False) -> None:
        """End leases without a result. `begun`: the poll ended early, but it did end."""
        unfinished = source_lease.c.unfinished
        left = case((unfinished > 0, unfinished - 1), else_=0) if begun else unfinished
        counting = update(source_lease).where(*_ours(source_ids, token), left > 0)
        self._connection.execute(counting.values(_GIVEN_BACK | {"unfinished": left}))
        self._connection.execute(delete(source_lease).where(*_ours(source_ids, token)))

    def end(self, records: Sequence[PollRecord]) -> None:
        """End the leases of settled polls."""
        in_order = sorted(records, key=attrgetter("token", "unfinished"))
        for (token, unfinished), group in groupby(in_order, key=attrgetter("token", "unfinished")):
            ours = _ours([record.source_id for record in group], token)
            if unfinished:
                values = _GIVEN_BACK | {"unfinished": unfinished}
                self._connection.execute(update(source_lease).where(*ours).values(values))
            else:
                self._connection.execute(delete(source_lease).where(*ours))

    def revoke(self, source_id: int) -> None:
        """End the lease of a source, whoever has it."""
        self._connection.execute(delete(source_lease).where(source_lease.c.source_id == source_id))


def _ours(source_ids: Collection[int], token: str) -> tuple[ColumnElement[bool], ...]:
    return source_lease.c.source_id.in_(source_ids), source_lease.c.token == token


def is_leased(now: datetime) -> ColumnElement[bool]:
    """Return the condition of sources that are leased.

    PostgreSQL reads the leases once and looks them up by hash. With `exists`, it joined a million due sources with
    them and sorted the result, instead of following the index of due times to its limit.
    """
    return source.c.id.in_(select(source_lease.c.source_id).where(source_lease.c.until > now))


def is_ours(token: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition of sources that are leased under a token, also after the end of the lease."""
    return exists().where(source_lease.c.source_id == source.c.id, source_lease.c.token == token)


def is_claimed() -> ColumnElement[bool]:
    """Return the condition of sources that a poll has claimed and not given back, also after the end of its lease."""
    return exists().where(source_lease.c.source_id == source.c.id, source_lease.c.token.is_not(None))


def leased(now: datetime) -> CTE:
    """Return host and kind of the leased sources."""
    return select(source_lease.c.host, source_lease.c.kind).where(source_lease.c.until > now).cte("leased")


def outstanding(group: ColumnElement[str]) -> Subquery:
    """Return the subquery that counts leased sources by group."""
    return select(group.label("group"), func.count().label("outstanding")).group_by(group).subquery()
