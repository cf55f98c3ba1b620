"""Store the cost of metered services, and the money reserved for running requests.

A service's row in `meter` is the lock: its holder sees all other reservations and costs.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import case, delete, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from aggregator.domain.billing.budget import Standing
from aggregator.domain.billing.credits import Balance, per_day
from aggregator.domain.billing.metering import Purpose
from aggregator.domain.source import SourceState
from storage.engine import upsert
from storage.tables.billing import billed, meter, reservation, spend
from storage.tables.polling import source

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Row

    from aggregator.domain.billing.budget import Cycle, Prices
    from aggregator.domain.billing.metering import Call, Returned

RECENT = timedelta(days=7)  # over which the present cost is averaged
BILLED_KEPT = timedelta(days=2)
LOST = "lost"  # the purpose of reserved money that was never settled

_SUMS = ("requests", "posts", "users", "micros", "owned")
_BILL = upsert.Upsert(
    billed,
    index=["service", "day", "item"],
    changing=[],
    columns=["service", "day", "item"],
    returning=["item"],
)
_ENTER_ON = {
    "postgresql": (entered := postgresql.insert(spend)).on_conflict_do_update(
        constraint=spend.primary_key, set_={name: spend.c[name] + entered.excluded[name] for name in _SUMS}
    ),
    "sqlite": (noted := sqlite.insert(spend)).on_conflict_do_update(
        index_elements=list(spend.primary_key), set_={name: spend.c[name] + noted.excluded[name] for name in _SUMS}
    ),
}


class Entry(NamedTuple):
    """A ledger line, with its totals."""

    source_id: int  # 0: none
    endpoint: str
    purpose: str
    requests: int
    posts: int
    users: int
    micros: int
    owned: int = 0  # the part of the posts that was billed at the owner's price


class Block(NamedTuple):
    """A service that reported a cap."""

    until: datetime
    reason: str


class Spendings:
    """The spending, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self, service: str) -> Block | None:
        """Lock the service's row until the transaction ends; return its reported cap, current or past."""
        chosen = select(meter).where(meter.c.service == service).with_for_update()
        row = self._connection.execute(chosen).one_or_none()
        if row is None:
            made = upsert.statement(self._connection, meter, index=["service"], changing=[])
            self._connection.execute(made, [{"service": service}])
            row = self._connection.execute(chosen).one()
        return Block(row.blocked_until, row.blocked_reason) if row.blocked_until else None

    def blocked(self, service: str) -> Block | None:
        """Return the cap that a service reported, current or past."""
        row = self._connection.execute(select(meter).where(meter.c.service == service)).one_or_none()
        return Block(row.blocked_until, row.blocked_reason) if row is not None and row.blocked_until else None

    def block(self, service: str, until: datetime | None, reason: str | None) -> None:
        """Store until when calls to a service are blocked, or remove the block."""
        self.lock(service)
        self._connection.execute(
            update(meter).where(meter.c.service == service).values(blocked_until=until, blocked_reason=reason)
        )

    def standing(self, service: str, cycle: Cycle) -> Standing:
        """Return the state of a cycle."""
        # This order counts a concurrently settled amount twice for a moment instead of not at all.
        reserved = self._connection.execute(
            select(func.coalesce(func.sum(reservation.c.micros), 0)).where(reservation.c.service == service)
        ).scalar_one()
        compliance = spend.c.purpose == Purpose.COMPLIANCE.value
        spent = self._connection.execute(
            select(
                func.coalesce(func.sum(spend.c.micros), 0),
                func.coalesce(func.sum(case((compliance, spend.c.micros), else_=0)), 0),
            ).where(spend.c.service == service, spend.c.day >= cycle.start.isoformat())
        ).one()
        return Standing(int(spent[0]), int(spent[1]), int(reserved))

    def reserve(self, token: str, call: Call, micros: int, now: datetime, until: datetime) -> None:
        """Reserve money until it is settled, and count the request."""
        self._connection.execute(
            reservation.insert().values(
                token=token,
                service=call.service,
                day=_day(now),
                source_id=call.source_id,
                endpoint=call.endpoint,
                purpose=call.purpose.value,
                micros=micros,
                until=until,
            )
        )
        self._enter(_Line(call.service, _day(now), call.source_id, call.endpoint, call.purpose.value), requests=1)

    def take_unit(self, service: str, day: str, endpoint: str, source_id: int) -> None:
        """Count a call against a daily quota; `day` is that of the service."""
        self._enter(_Line(service, day, source_id, endpoint, Purpose.POLL.value), requests=1)

    def units_taken(self, service: str, day: str) -> int:
        """Return how many calls of a day were counted."""
        chosen = select(func.coalesce(func.sum(spend.c.requests), 0))
        return int(self._connection.execute(chosen.where(spend.c.service == service, spend.c.day == day)).scalar_one())

    def reclaim(self, call: Call, now: datetime) -> None:
        """Release reservations of dead workers.

        Results for this source are read again now, and billed once. Those of an earlier day may have been billed then,
        so they are recorded as lost.
        """
        dead = (reservation.c.service == call.service) & (reservation.c.until <= now)
        again = (reservation.c.source_id == call.source_id) & (reservation.c.endpoint == call.endpoint)
        today = reservation.c.day == _day(now)
        self._connection.execute(delete(reservation).where(dead, again, today))
        gone = self._connection.execute(delete(reservation).where(dead, ~today).returning(*reservation.c)).all()
        for row in gone:
            self._enter(_Line(row.service, row.day, row.source_id, row.endpoint, LOST), micros=row.micros)

    def settle(self, token: str, returned: Returned, prices: Mapping[str, Prices], now: datetime) -> int:
        """Record the results, each once a day, and release the reservation; return the cost in micros.

        `prices` are by service.
        """
        row = self._connection.execute(
            delete(reservation).where(reservation.c.token == token).returning(*reservation.c)
        ).one_or_none()
        if row is None:  # already reclaimed; the new request reads the same results
            return 0
        owned = self._newly_billed(row, "post", returned.owned, now)
        posts = owned + self._newly_billed(row, "post", returned.posts, now)
        users = self._newly_billed(row, "user", returned.users, now)
        cost = prices[row.service].of(posts, users, owned)
        if posts or users:
            line = _Line(row.service, _day(now), row.source_id, row.endpoint, row.purpose)
            self._enter(line, posts=posts, users=users, micros=cost, owned=owned)
        return cost

    def ledger(self, service: str, since: str, by: Sequence[str] = ("source_id", "endpoint", "purpose")) -> list[Entry]:
        """Return the ledger from a day ("2026-05-04") on, grouped by the given columns."""
        kept: list[ColumnElement[str | int]] = [
            spend.c[name] if name in by else literal(0 if name == "source_id" else "").label(name)
            for name in ("source_id", "endpoint", "purpose")
        ]
        grouped = [spend.c[name] for name in by]
        rows = self._connection.execute(
            select(*kept, *(func.sum(spend.c[name]).label(name) for name in _SUMS))
            .where(spend.c.service == service, spend.c.day >= since)
            .group_by(*grouped)
            .order_by(*grouped)
        )
        return [
            Entry(row["source_id"], row["endpoint"], row["purpose"], *(int(row[name]) for name in _SUMS))
            for row in rows.mappings()
        ]

    def days(self, service: str, since: str) -> list[tuple[str, int, int, int, int]]:
        """Return (day, requests, posts, users, micros) of each day since a day."""
        sums = [func.sum(spend.c[name]) for name in _SUMS]
        chosen = select(spend.c.day, *sums).where(spend.c.service == service, spend.c.day >= since)
        rows = self._connection.execute(chosen.group_by(spend.c.day).order_by(spend.c.day))
        return [(row[0], int(row[1]), int(row[2]), int(row[3]), int(row[4])) for row in rows]

    def first_day(self, service: str) -> str | None:
        """Return the first day of the ledger."""
        chosen = select(func.min(spend.c.day)).where(spend.c.service == service)
        day: str | None = self._connection.execute(chosen).scalar_one()
        return day

    def spent_today(self, service: str, purpose: Purpose, now: datetime) -> int:
        """Return the cost of a purpose since midnight, in micros."""
        chosen = select(func.coalesce(func.sum(spend.c.micros), 0)).where(
            spend.c.service == service, spend.c.day == _day(now), spend.c.purpose == purpose.value
        )
        return int(self._connection.execute(chosen).scalar_one())

    def appetites(self, kind: str) -> dict[int, float | None]:
        """Return the cost of reading each active source, in dollars a day, by source; None: unknown."""
        active = (source.c.kind == kind) & (source.c.state == SourceState.ACTIVE.value)
        return {
            row.id: row.appetite
            for row in self._connection.execute(select(source.c.id, source.c.appetite).where(active))
        }

    def reported(self, service: str) -> tuple[int, datetime] | None:
        """Return the service's own count of posts in this cycle, and its time."""
        row = self._connection.execute(select(meter).where(meter.c.service == service)).one_or_none()
        return (row.reported, row.reported_at) if row is not None and row.reported_at else None

    def report(self, service: str, posts: int, now: datetime) -> None:
        """Store the service's own count."""
        self.lock(service)
        self._connection.execute(
            update(meter).where(meter.c.service == service).values(reported=posts, reported_at=now)
        )

    def balance(self, service: str, now: datetime) -> Balance | None:
        """Return the balance of prepaid credits as the service last reported it, and the cost of the last days."""
        row = self._connection.execute(select(meter).where(meter.c.service == service)).one_or_none()
        if row is None or row.balance_at is None:
            return None
        since = _day(now - RECENT)
        chosen = select(func.coalesce(func.sum(spend.c.micros), 0), func.min(spend.c.day))
        spent, first = self._connection.execute(
            chosen.where(spend.c.service == service, spend.c.day >= since, spend.c.micros > 0)
        ).one()
        days = (now.date() - date.fromisoformat(first)) if first else timedelta()
        return Balance(row.balance, row.balance_at, per_day(int(spent), days))

    def report_balance(self, service: str, micros: int, now: datetime) -> None:
        """Store the balance of prepaid credits."""
        self.lock(service)
        self._connection.execute(update(meter).where(meter.c.service == service).values(balance=micros, balance_at=now))

    def forget_billed(self, now: datetime) -> int:
        """Delete the billed items of past days; return the number."""
        return self._connection.execute(billed.delete().where(billed.c.day < _day(now - BILLED_KEPT))).rowcount

    def _newly_billed(self, row: Row[Any], sort: str, ids: Collection[str], now: datetime) -> int:
        if not ids:
            return 0
        rows = [{"service": row.service, "day": _day(now), "item": f"{sort}:{id_}"} for id_ in dict.fromkeys(ids)]
        return len(_BILL.run(self._connection, rows).all())

    def _enter(self, line: _Line, **counts: int) -> None:
        whole = dict.fromkeys(_SUMS, 0) | counts
        self._connection.execute(_ENTER_ON[self._connection.dialect.name], {**line._asdict(), **whole})


class _Line(NamedTuple):
    service: str
    day: str
    source_id: int
    endpoint: str
    purpose: str


def _day(now: datetime) -> str:
    return now.date().isoformat()
