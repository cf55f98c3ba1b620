"""Store outages of host groups, and hold, probe and release their sources.

No statement reads all sources: those that fail are found by the index of failures, and those of a host group with
several of them by the index of hosts.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, delete, exists, func, literal, or_, select, update

from aggregator.domain.monitoring.outages import (
    ALIKE,
    FRESH,
    LARGE,
    LEAST,
    SPREAD,
    WINDOWS,
    FailedPolls,
    Outage,
    PolledSources,
    decisive,
)
from aggregator.domain.source import SourceState
from storage.engine import upsert
from storage.polling.leases import is_leased
from storage.revision import Stream
from storage.tables.monitoring import outage
from storage.tables.polling import source

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

MOST_HOSTS = 200  # host groups that are examined at once
_SLICES = 24  # of a released group; each is polled some seconds after the one before
_BLAMELESS = timedelta(hours=24)  # sources with a success since then are not blamed for an outage
_ACTIVE = source.c.state == SourceState.ACTIVE.value
_FAILS_ALIKE = source.c.last_error_code.in_(tuple(ALIKE))
_MOST_FAILURES = 40  # in a row; sources that fail for weeks are not even read
_COLUMNS = [outage.c[name] for name in Outage._fields]


class Outages:
    """The outages, within one transaction."""

    def __init__(self, connection: Connection, with_fallback: Collection[str] = ()) -> None:
        self._connection, self._with_fallback = connection, with_fallback

    def ignoring(self, with_fallback: Collection[str]) -> Outages:
        """Return the outages such that successes of some kinds of source, read from another host, don't count."""
        return Outages(self._connection, with_fallback)

    def all(self) -> list[Outage]:
        """Return the outages by host."""
        return [Outage(*row) for row in self._connection.execute(select(*_COLUMNS).order_by(outage.c.host))]

    def held_hosts(self) -> frozenset[str]:
        """Return the host groups whose sources are not polled, except probes."""
        return frozenset(self._connection.execute(select(outage.c.host).where(outage.c.released.is_(None))).scalars())

    def failed_alike(self, now: datetime) -> list[FailedPolls]:
        """Return the host groups of which several sources fail that answered until recently.

        Sources of released groups count from the release on, however long they have failed.
        """
        words = case(dict(ALIKE), value=source.c.last_error_code)
        recent = source.c.last_polled > now - WINDOWS[-1]
        fresh = or_(
            and_(outage.c.host.is_(None), source.c.last_success > now - FRESH),
            source.c.last_polled > outage.c.released,
        )
        failing = (
            select(source.c.host, words.label("words"), source.c.last_polled, source.c.last_error)
            .outerjoin(outage, outage.c.host == source.c.host)
            .where(_ACTIVE, source.c.failures.between(1, _MOST_FAILURES), _FAILS_ALIKE, recent, fresh)
            .subquery()
        )
        counts = [func.sum(case((failing.c.last_polled > now - window, 1), else_=0)) for window in WINDOWS]
        grouped = (
            select(failing.c.host, failing.c.words, *counts, func.max(failing.c.last_error))
            .group_by(failing.c.host, failing.c.words)
            .having(func.count() >= LEAST)
            .order_by(func.count().desc(), failing.c.host)
            .limit(MOST_HOSTS)
        )
        return [
            FailedPolls(row[0], row[1], tuple(int(count) for count in row[2:-1]), row[-1] or "")
            for row in self._connection.execute(grouped)
        ]

    def polled(self, failed: Mapping[str, FailedPolls], now: datetime) -> dict[str, PolledSources]:
        """Count the active sources of host groups, and those polled recently; a release restarts the count.

        Large numbers are not exact: of a group, as many of the last polls are read as decide about an outage.
        """
        found = {host: self._polled(polls, now) for host, polls in failed.items()}
        return {host: polled for host, polled in found.items() if polled.total}

    def _polled(self, failed: FailedPolls, now: datetime) -> PolledSources:
        counted = or_(outage.c.released.is_(None), source.c.last_polled > outage.c.released)
        answering = or_(source.c.last_success > now - FRESH, source.c.failures == 0, outage.c.host.is_not(None))
        last = (
            select(source.c.last_polled)
            .outerjoin(outage, outage.c.host == source.c.host)
            .where(self._affected(failed.host), source.c.last_polled > now - WINDOWS[-1], counted, answering)
            .order_by(source.c.last_polled.desc())
            .limit(decisive(failed))
        )
        moments = self._connection.execute(last).scalars().all()
        some = select(source.c.id).where(self._affected(failed.host)).limit(LARGE).subquery()
        total: int = self._connection.execute(select(func.count()).select_from(some)).scalar_one()
        return PolledSources(total, tuple(sum(moment > now - window for moment in moments) for window in WINDOWS))

    def sources(self, host: str) -> int:
        """Return the exact number of active sources of a host group that an outage affects."""
        counted = select(func.count()).select_from(source).where(self._affected(host))
        return self._connection.execute(counted).scalar_one()

    def _affected(self, host: str) -> ColumnElement[bool]:
        """Return the condition of the sources of a host group: with a fallback, those whose fallback fails, too."""
        return and_(
            source.c.host == host, _ACTIVE, source.c.due.is_not(None), or_(self._depends(), source.c.failures > 0)
        )

    def _depends(self) -> ColumnElement[bool]:
        """Return the condition that a source has no fallback."""
        return source.c.kind.not_in(self._with_fallback)

    def hold(self, host: str, incident_id: int, now: datetime, probe: datetime) -> None:
        """Stop polling a host group, also one that was released before."""
        statement = upsert.statement(
            self._connection, outage, index=["host"], changing=["incident_id", "began", "next_probe", "released"]
        )
        row = {
            "host": host,
            "incident_id": incident_id,
            "began": now,
            "answered_since": now - _BLAMELESS,
            "next_probe": probe,
            "released": None,
        }
        self._connection.execute(statement, [row])

    def probe(self, host: str, now: datetime, following: datetime) -> bool:
        """Make one source of a host group due as a probe; return whether there is one.

        Of the sources that answered before the outage, the one polled longest ago: a source that is broken on its own
        keeps no other one waiting for more than one probe.
        """
        Stream(self._connection).require_lock()
        sound = source.c.last_success >= outage.c.answered_since
        chosen = (
            select(source.c.id)
            .join(outage, outage.c.host == source.c.host)
            .where(source.c.host == host, _ACTIVE, source.c.due.is_not(None), ~is_leased(now))
            .order_by(case((self._depends(), 0), else_=1), case((sound, 0), else_=1), source.c.last_polled, source.c.id)
            .limit(1)
        )
        canary = self._connection.execute(chosen).scalar()
        values = {"next_probe": following, "probed": now, "canary": canary, "probes": outage.c.probes + 1}
        self._connection.execute(update(outage).where(outage.c.host == host).values(**values))
        due = update(source).where(source.c.id == canary)
        self._connection.execute(due.values(due=now, due_reason="tests whether its host has recovered"))
        return canary is not None

    def answering(self) -> list[str]:
        """Return the held host groups of which a source has succeeded since the outage began, or that have none left.

        The success of a source with a fallback counts if the group has no others.
        """
        sources = exists().where(source.c.host == outage.c.host, _ACTIVE)
        dependent = sources.where(self._depends())
        since = source.c.last_success > outage.c.began
        success = or_(dependent.where(since), and_(~dependent, sources.where(since)))
        found = select(outage.c.host).where(outage.c.released.is_(None), or_(success, ~sources))
        return list(self._connection.execute(found.order_by(outage.c.host)).scalars())

    def release(self, host: str, now: datetime) -> int:
        """Poll the sources of a host group again, spread over some minutes; return their number."""
        Stream(self._connection).require_lock()
        self._connection.execute(update(outage).where(outage.c.host == host).values(released=now, canary=None))
        began = select(outage.c.answered_since).where(outage.c.host == host).scalar_subquery()
        slot = case(
            {part: now + SPREAD * part / _SLICES for part in range(1, _SLICES)},
            value=source.c.id % _SLICES,
            else_=literal(now, source.c.due.type),
        )
        failed = and_(source.c.failures > 0, source.c.last_success >= began)
        waiting = and_(source.c.host == host, _ACTIVE, or_(source.c.due <= now + SPREAD, failed))
        released = update(source).where(waiting).values(due=slot, due_reason="its host has recovered")
        return self._connection.execute(released).rowcount

    def forget(self, hosts: Collection[str]) -> None:
        """Delete outages that have ended."""
        if hosts:
            self._connection.execute(delete(outage).where(outage.c.host.in_(hosts)))


def held(with_fallback: Collection[str] = ()) -> ColumnElement[bool]:
    """Return the condition that a source waits for the end of an outage and is not its next probe.

    Sources of kinds `with_fallback` don't wait.
    """
    running = outage.c.released.is_(None) & (outage.c.host == source.c.host)
    probed = and_(
        outage.c.canary == source.c.id, or_(source.c.last_polled.is_(None), source.c.last_polled < outage.c.probed)
    )
    depends = source.c.kind.not_in(with_fallback)
    return and_(source.c.asked.is_(None), depends, exists().where(running, ~func.coalesce(probed, False)))


def excused() -> ColumnElement[Any]:
    """Return the condition that a source is out of date because of an outage alone."""
    affected = outage.c.host == source.c.host
    answered = or_(
        source.c.last_success >= outage.c.answered_since, and_(source.c.last_success.is_(None), source.c.failures == 0)
    )
    return exists().where(affected, answered)
