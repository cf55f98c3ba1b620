"""Store the current refusals of services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, delete, or_, select, update

from aggregator.domain.polling.api_refusals import REFUSAL_CODES, STORED, Refusal
from storage.engine import upsert
from storage.polling.schedule import Schedule
from storage.tables.api import api_refusal, refused_value

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import Connection

    from aggregator.domain.polling.api_refusals import ApiCall

_COLUMNS = [api_refusal.c[name] for name in Refusal._fields]
_KEY = ["service", "credential", "endpoint"]


class ApiRefusals:
    """The refusals, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, service: str | None = None) -> list[Refusal]:
        """Return all refusals, or those of a service."""
        chosen = select(*_COLUMNS).order_by(*_COLUMNS[:3])
        if service is not None:
            chosen = chosen.where(api_refusal.c.service == service)
        return [Refusal(*row) for row in self._connection.execute(chosen)]

    def affecting(self, call: ApiCall) -> list[Refusal]:
        """Return the refusals that affect a call, the latest probe last."""
        rows = self._connection.execute(select(*_COLUMNS).where(_affects(call)).order_by(api_refusal.c.until))
        return [Refusal(*row) for row in rows]

    def claim_probe(self, refusal: Refusal, now: datetime, until: datetime) -> bool:
        """Claim the probe of a refusal that is due; False: another worker was faster."""
        due = and_(_is(refusal), api_refusal.c.until <= now)
        return self._connection.execute(update(api_refusal).where(due).values(until=until)).rowcount > 0

    def put(self, refusal: Refusal) -> None:
        """Store a refusal; an earlier one of the same calls keeps its begin."""
        changing = ["code", "reason", "until", "probes", "polls", "replaced_by"]
        statement = upsert.statement(self._connection, api_refusal, index=_KEY, changing=changing)
        self._connection.execute(statement, [refusal._asdict()])

    def end(self, call: ApiCall, now: datetime) -> int:
        """Delete the refusals that affect a call, and make the waiting sources due; return their number."""
        ended = self._connection.execute(delete(api_refusal).where(_affects(call))).rowcount
        return Schedule(self._connection).wake(REFUSAL_CODES, now) if ended else 0

    def probe_now(self, services: Collection[str], now: datetime) -> None:
        """Make the next probe of services due, since a person has changed something."""
        later = api_refusal.c.service.in_(services) & (api_refusal.c.until > now)
        self._connection.execute(update(api_refusal).where(later).values(until=now))

    def follow_settings(self, service: str, credential: str, now: datetime) -> int:
        """Make the sources due that wait for a former credential of the settings; return their number.

        The refusal itself stays: a process that still has the former credential must not call with it again and again.
        """
        former = and_(
            api_refusal.c.service == service,
            api_refusal.c.credential != credential,
            ~api_refusal.c.credential.startswith(STORED),
            or_(api_refusal.c.replaced_by.is_(None), api_refusal.c.replaced_by != credential),
        )
        if self._connection.execute(select(api_refusal.c.service).where(former).limit(1)).first() is None:
            return 0  # the usual case, which writes nothing
        self._connection.execute(update(api_refusal).where(former).values(replaced_by=credential))
        return Schedule(self._connection).wake(REFUSAL_CODES, now)

    def forget_credential(self, service: str, key: str) -> None:
        """Delete the refusals of a credential that was renewed or replaced."""
        former = (api_refusal.c.service == service) & (api_refusal.c.credential == key)
        self._connection.execute(delete(api_refusal).where(former))

    def values(self, host: str, endpoint: str, since: datetime) -> frozenset[str]:
        """Return the parameter values that an endpoint has refused since a time."""
        known = and_(refused_value.c.host == host, refused_value.c.endpoint == endpoint, refused_value.c.since >= since)
        return frozenset(self._connection.execute(select(refused_value.c.value).where(known)).scalars())

    def refuse_values(self, host: str, endpoint: str, values: Collection[str], now: datetime) -> None:
        """Store parameter values that an endpoint refused."""
        statement = upsert.statement(
            self._connection, refused_value, index=["host", "endpoint", "value"], changing=["since"]
        )
        rows = [{"host": host, "endpoint": endpoint, "value": value, "since": now} for value in sorted(values)]
        self._connection.execute(statement, rows)

    def forget(self, before: datetime) -> int:
        """Delete refusals that nothing has probed, and values that nothing has refused, since a time."""
        self._connection.execute(delete(refused_value).where(refused_value.c.since < before))
        return self._connection.execute(delete(api_refusal).where(api_refusal.c.until < before)).rowcount


def _affects(call: ApiCall) -> ColumnElement[bool]:
    return and_(
        api_refusal.c.service == call.service,
        api_refusal.c.credential == call.credential,
        api_refusal.c.endpoint.in_(["", call.endpoint]),
    )


def _is(refusal: Refusal) -> Any:  # noqa: ANN401  # a condition
    return and_(*(api_refusal.c[name] == getattr(refusal, name) for name in _KEY))
