"""Store the schedule: due times, leases and the results of polls. No other module changes due times."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, bindparam, case, func, literal, select, union_all, update

from aggregator.domain.monitoring.counts import counts_of
from aggregator.domain.source import SourceState
from storage.engine.recordset import as_json, recordset
from storage.monitoring.counts import Counts
from storage.polling.leases import Leases, is_leased, is_ours, leased, outstanding
from storage.polling.outages import held
from storage.polling.source_lists import source_of
from storage.revision import Stream
from storage.tables.polling import fetch_log, host, source, source_lease

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import CTE, ColumnElement, Connection, Select, Subquery, Update
    from sqlalchemy.sql.base import ReadOnlyColumnCollection
    from sqlalchemy.types import TypeEngine

    from aggregator.domain.polling.results import PollRecord
    from aggregator.domain.source import Source
    from storage.polling.leases import Claimed

MOST_OUTSTANDING = 500  # leased sources of one kind, or twice what one claim may lease; a queue gets no more work
_EXAMINED = 2000  # due sources per round of a claim; hosts that got all they may have are left out of the next round
_ROUNDS = 8  # at least


class Schedule:
    """The schedule, within one writing transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.leases = Leases(connection)

    def ask(self, source_ids: Collection[int], now: datetime, reason: str = "asked for by hand") -> None:
        """Request polls of these sources at the next tick."""
        Stream(self._connection).require_lock()
        polled = source.c.id.in_(source_ids) & source.c.due.is_not(None)  # items that people write are never polled
        self._connection.execute(update(source).where(polled).values(asked=now, due=now, due_reason=reason))

    def follow_interval(self, changed: Source, every: timedelta, now: datetime) -> None:
        """Poll a source by a new fixed interval from its last poll on, instead of after the poll that is due."""
        Stream(self._connection).require_lock()
        if changed.poll.due is not None:
            due = max(now, (changed.poll.last_polled or now) + every)
            retimed = update(source).where(source.c.id == changed.id, source.c.asked.is_(None))
            self._connection.execute(retimed.values(due=due, due_reason="its interval was changed"))

    def still_asked(self, source_ids: Collection[int]) -> set[int]:
        """Return the sources whose requested poll has not ended yet."""
        return set(
            self._connection.execute(
                select(source.c.id).where(source.c.id.in_(source_ids), source.c.asked.is_not(None))
            ).scalars()
        )

    def claim(
        self,
        now: datetime,
        *,
        lease: timedelta,
        token: str,
        most: int,
        per_host: int,
        per_host_of: Mapping[str, int] = MappingProxyType({}),
        with_fallback: Collection[str] = (),
    ) -> list[Claimed]:
        """Lease up to `most` due sources, with at most `per_host` leases per host.

        `per_host_of` overrides that for some kinds; those `with_fallback` are polled during outages, too. Concurrent
        schedulers never get the same source: it has one lease.
        """
        claimed: list[Claimed] = []
        per_kind = max(MOST_OUTSTANDING, 2 * most)
        limits = _Limits(per_host, per_host_of, per_kind, with_fallback)
        for _ in range(_ROUNDS + most // _EXAMINED):
            left = most - len(claimed)
            ranked = _ranked(now, limits)
            chosen = (
                select(ranked.c.id, ranked.c.examined)
                .where(ranked.c.in_kind <= per_kind)
                .order_by(ranked.c.asked.is_(None), ranked.c.due, ranked.c.id)
                .limit(left)
            )
            rows = self._connection.execute(chosen).all() if left > 0 else []
            claimed += self.leases.claim([row.id for row in rows], _claimable(now), now, now + lease, token)
            if len(rows) in {0, left} or rows[0].examined < _EXAMINED:
                break
        return claimed

    def claim_these(self, source_ids: Collection[int], now: datetime, *, lease: timedelta, token: str) -> list[Claimed]:
        """Lease these sources, due or not, unless leased elsewhere."""
        polled = and_(source.c.state == SourceState.ACTIVE.value, source.c.due.is_not(None))
        return self.leases.claim(source_ids, polled, now, now + lease, token)

    def renew(self, source_ids: Collection[int], token: str, until: datetime) -> list[Source]:
        """Start polling: renew the leases that are still ours under this token, and return their sources.

        Each poll counts as unfinished until it is settled or released.
        """
        Stream(self._connection).require_lock()
        begun = self.leases.begin(source_ids, token, until)
        rows = self._connection.execute(select(source).where(source.c.id.in_(begun)))
        return [source_of(row, unfinished=begun[row.id]) for row in rows]

    def lock_leased(self, source_id: int, token: str) -> Source | None:
        """Lock a source under our lease and return its current state; None if the lease was lost."""
        ours = is_ours(literal(token))
        row = self._connection.execute(
            select(source).where(source.c.id == source_id, ours).with_for_update()
        ).one_or_none()
        return None if row is None else source_of(row)

    def release(self, source_ids: Collection[int], token: str, *, begun: bool = False) -> None:
        """Release sources that were not polled; they stay due. `begun`: their poll ended early, but it did end."""
        Stream(self._connection).require_lock()
        self.leases.release(source_ids, token, begun=begun)

    def settle(self, records: Sequence[PollRecord]) -> int:
        """End the polls of sources that are still ours, log and count them, with five statements for any number.

        Returns how many were still ours; the others get a log line, too.
        """
        Stream(self._connection).require_lock()
        ends, lines = [_schedule_row(record) for record in records], [_log_row(record) for record in records]
        if self._connection.dialect.name == "postgresql":
            ended = self._connection.execute(_SETTLE_ALL, {"settled": as_json(ends)}).rowcount
            self._connection.execute(_LOG_ALL, {"logged": as_json(lines)})
        else:
            ended = self._connection.execute(_SETTLE_EACH, ends).rowcount
            self._connection.execute(fetch_log.insert(), lines)
        self.leases.end(records)
        Counts(self._connection).add(counts_of(records), max(record.now for record in records))
        return ended

    def wake(self, error_codes: Collection[str], now: datetime) -> int:
        """Make active sources due whose last poll ended in one of these errors; return the number."""
        Stream(self._connection).require_lock()
        waiting = (source.c.state == SourceState.ACTIVE.value) & source.c.last_error_code.in_(error_codes)
        woken = update(source).where(waiting).values(due=now, due_reason="asked for again")
        return self._connection.execute(woken).rowcount

    def log(self, source_id: int, limit: int) -> list[Mapping[str, Any]]:
        """Return the newest lines of a source's fetch log, newest first, by column name."""
        rows = self._connection.execute(
            select(fetch_log).where(fetch_log.c.source_id == source_id).order_by(fetch_log.c.id.desc()).limit(limit)
        )
        return [dict(row) for row in rows.mappings()]

    def brought_daily(self, source_ids: Collection[int], since: datetime) -> dict[int, dict[str, int]]:
        """Return the new activities by source and day (UTC, "2026-05-04"); days without any are left out."""
        is_postgresql = self._connection.dialect.name == "postgresql"
        day = func.date(func.timezone("UTC", fetch_log.c.started) if is_postgresql else fetch_log.c.started)
        rows = self._connection.execute(
            select(fetch_log.c.source_id, day, func.sum(fetch_log.c.new))
            .where(fetch_log.c.source_id.in_(source_ids), fetch_log.c.started >= since, fetch_log.c.new > 0)
            .group_by(fetch_log.c.source_id, day)
        )
        found: dict[int, dict[str, int]] = {}
        for source_id, on, count in rows:
            found.setdefault(source_id, {})[str(on)] = int(count)
        return found


def _first_candidates(now: datetime, running: CTE, limits: _Limits) -> Subquery:
    """Return the first sources that were requested, and the first others."""
    return union_all(
        *(
            _candidates(now, running, limits)
            .where(condition)
            .order_by(source.c.due, source.c.id)
            .limit(_EXAMINED)
            .subquery()
            .select()
            for condition in (source.c.asked.is_not(None), source.c.asked.is_(None))
        )
    ).subquery()


def _ranked(now: datetime, limits: _Limits) -> Subquery:
    """Return the first claimable sources with a place in the queue of their host, and that in the queue of their kind.

    Sources that were requested come first, then those that are due the longest, of hosts and kinds with free places.
    So a claim costs the same for any number of due sources.
    """
    running = leased(now)
    hosts, kinds = outstanding(running.c.host), outstanding(running.c.kind)
    first = _first_candidates(now, running, limits)
    order = (first.c.asked.is_(None), first.c.due, first.c.id)  # requested polls skip the queue
    in_host = func.row_number().over(partition_by=first.c.host, order_by=order)
    by_host = (
        select(
            first,
            limits.of_host(first.c.kind).label("per_host"),
            (in_host + func.coalesce(hosts.c.outstanding, 0)).label("in_host"),
            func.count().over().label("examined"),
        )
        .outerjoin(hosts, hosts.c.group == first.c.host)
        .subquery()
    )
    # Sources that wait for their host take no places of their kind.
    order = (by_host.c.asked.is_(None), by_host.c.due, by_host.c.id)
    in_kind = func.row_number().over(partition_by=by_host.c.kind, order_by=order)
    return (
        select(
            by_host.c.id,
            by_host.c.asked,
            by_host.c.due,
            by_host.c.examined,
            (in_kind + func.coalesce(kinds.c.outstanding, 0)).label("in_kind"),
        )
        .outerjoin(kinds, kinds.c.group == by_host.c.kind)
        .where(by_host.c.in_host <= by_host.c.per_host)
        .subquery()
    )


def _candidates(now: datetime, running: CTE, limits: _Limits) -> Select[Any]:
    """Return the claimable sources of hosts and kinds with free places."""
    paused = select(host.c.name).where(host.c.paused_until > now)
    most = func.max(limits.of_host(running.c.kind))
    full_hosts = select(running.c.host).group_by(running.c.host).having(func.count() >= most)
    full_kinds = select(running.c.kind).group_by(running.c.kind).having(func.count() >= limits.per_kind)
    return select(source.c.id, source.c.kind, source.c.host, source.c.asked, source.c.due).where(
        _claimable(now),
        ~is_leased(now),
        source.c.host.not_in(paused),
        source.c.host.not_in(full_hosts),
        source.c.kind.not_in(full_kinds),
        ~held(limits.with_fallback),
    )


class _Limits(NamedTuple):
    """How many sources may be leased."""

    per_host: int
    per_host_of: Mapping[str, int]  # for some kinds
    per_kind: int
    with_fallback: Collection[str]  # kinds that outages of hosts don't stop

    def of_host(self, kind: ColumnElement[str]) -> ColumnElement[int]:
        """Return the limit per host for a kind."""
        if not self.per_host_of:
            return literal(self.per_host)
        return case(dict(self.per_host_of), value=kind, else_=self.per_host)


def _claimable(now: datetime) -> ColumnElement[bool]:
    return and_(source.c.state == SourceState.ACTIVE.value, source.c.due <= now)


def _settlement(given: Mapping[str, ColumnElement[Any]] | ReadOnlyColumnCollection[str, Any]) -> Update:
    """Return the update that ends a poll. A source whose poll was requested after this one began stays due."""
    asked_since = source.c.asked > given["began"]
    same = ("failures", "strain", "interval", "rhythm", "speed", "appetite", "moving", "fetch_state")
    outcome = ("last_outcome", "last_error")
    return (
        update(source)
        .where(source.c.id == given["row"], is_ours(given["token"]))
        .values(
            asked=case((asked_since, source.c.asked), else_=None),
            due=case((asked_since, source.c.due), else_=given["to_due"]),
            due_reason=case((asked_since, source.c.due_reason), else_=given["to_due_reason"]),
            last_polled=given["polled"],
            last_success=func.coalesce(given["success"], source.c.last_success),
            last_new=func.coalesce(given["brought"], source.c.last_new),
            last_error_code=given["to_last_error_code"],
            watch=func.coalesce(given["to_watch"], source.c.watch),
            silent_from=case((given["to_watch"].is_(None), source.c.silent_from), else_=given["silent"]),
            **{name: given[f"to_{name}"] for name in (*same, *outcome)},
        )
    )


_MOMENTS = ("began", "polled", "success", "brought", "silent", "to_due")
_GIVEN: Mapping[str, TypeEngine[Any]] = {
    "row": source.c.id.type,
    "token": source_lease.c.token.type,
    **dict.fromkeys(_MOMENTS, source.c.due.type),
    **{
        f"to_{name}": source.c[name].type
        for name in (
            "due_reason",
            "failures",
            "strain",
            "interval",
            "rhythm",
            "speed",
            "appetite",
            "moving",
            "watch",
            "fetch_state",
        )
    },
    **{f"to_{name}": source.c[name].type for name in ("fetch_state", "last_outcome", "last_error", "last_error_code")},
}
_LOGGED = {column.name: column.type for column in fetch_log.c if column.name != "id"}
_SETTLE_EACH = _settlement({name: bindparam(name, type_=type_) for name, type_ in _GIVEN.items()})
_SETTLE_ALL = _settlement(recordset("settled", _GIVEN).c)
_LOG_ALL = fetch_log.insert().from_select(list(_LOGGED), select(recordset("logged", _LOGGED)))


def _schedule_row(record: PollRecord) -> dict[str, Any]:
    failed = record.error_code is not None
    return {
        "row": record.source_id,
        "token": record.token,
        "began": record.facts.started,
        "to_due": record.due,
        "to_due_reason": record.due_reason,
        "to_failures": record.failures,
        "to_strain": record.failure_weight,
        "to_interval": round(record.interval.total_seconds()),
        "to_rhythm": None if record.publishing_profile is None else dict(record.publishing_profile),
        "to_speed": record.poll_weight,
        "to_appetite": record.daily_cost,
        "to_moving": None if record.pending_redirect is None else dict(record.pending_redirect),
        "to_watch": None if record.watch is None else dict(record.watch),
        "silent": record.silent_from,
        "to_fetch_state": dict(record.fetch_state),
        "polled": record.now,
        "to_last_outcome": record.outcome.value,
        "success": None if failed else record.now,
        "brought": record.now if record.new else None,
        "to_last_error": record.message if failed else None,
        "to_last_error_code": record.error_code,
    }


def _log_row(record: PollRecord) -> dict[str, Any]:
    return {
        "source_id": record.source_id,
        "started": record.facts.started,
        "milliseconds": round(record.facts.duration / timedelta(milliseconds=1)),
        "status": record.facts.status,
        "bytes": record.facts.bytes,
        "requests": record.facts.requests,
        "outcome": record.outcome.value,
        "new": record.new,
        "changed": record.changed,
        "unchanged": record.unchanged,
        "error_code": record.error_code,
        "message": record.message,
        "next_poll": record.due,
        "next_reason": record.due_reason,
    }
