"""Store what push listeners need: the followed accounts, polls after pushed events, and the state of each stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import String, case, cast, delete, func, literal, or_, select, update

from aggregator.domain.polling.pushes import PUSHED, SLOWED
from aggregator.domain.source import SourceState
from storage.engine import upsert
from storage.engine.connect import UtcDateTime
from storage.polling.leases import is_claimed
from storage.revision import Stream
from storage.tables.compliance import checked
from storage.tables.polling import source

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime, timedelta

    from sqlalchemy import Connection


_AT_ONCE = 5000  # sources per statement


class Pushes:
    """The state of push listeners, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # Sources

    def mark(self) -> int:
        """Return a number that changes whenever a source is added, removed or changed by a person."""
        return int(self._connection.execute(select(func.max(source.c.revision))).scalar() or 0)

    def followed(self, kind: str) -> dict[str, list[int]]:
        """Return the active sources of a kind by the native id of the account that they follow, first added first."""
        user_id = cast(source.c.options["user_id"].as_string(), String)
        active = source.c.state == SourceState.ACTIVE.value
        chosen = select(user_id, source.c.id).where(active, source.c.kind == kind, user_id.is_not(None))
        found: dict[str, list[int]] = {}
        for account, source_id in self._connection.execute(chosen.order_by(source.c.id)):
            found.setdefault(account, []).append(source_id)
        return found

    def announce(self, source_ids: Collection[int], now: datetime, settling: timedelta, apart: timedelta) -> None:
        """Request polls of sources that published something. Failing ones keep their delay.

        Args:
            source_ids: the sources.
            now: the present time.
            settling: until the network's API has what its stream has sent.
            apart: between two polls of a source that publishes without a break.
        """
        Stream(self._connection).require_lock()
        soon, later = (literal(now + span, UtcDateTime()) for span in (settling, settling + apart))
        due = case((source.c.last_polled > now - apart, later), else_=soon)
        # One that is due and not being polled will be polled anyway.
        matters = or_(source.c.asked.is_(None), is_claimed(), source.c.due > due)
        ids = list(source_ids)
        for start in range(0, len(ids), _AT_ONCE):
            some = source.c.id.in_(ids[start : start + _AT_ONCE])
            self._connection.execute(
                update(source)
                .where(some, source.c.due.is_not(None), source.c.failures == 0, matters)
                .values(asked=now, due=case((source.c.due < due, source.c.due), else_=due), due_reason=PUSHED)
            )

    def resume(self, kind: str, now: datetime) -> int:
        """Make the sources of a kind due that were polled rarely because of pushed events; return the number."""
        Stream(self._connection).require_lock()
        slowed = source.c.due_reason.contains(SLOWED, autoescape=True) & (source.c.due > now)
        chosen = (source.c.state == SourceState.ACTIVE.value) & (source.c.kind == kind) & slowed
        values = {"due": now, "due_reason": "nothing is pushed any more"}
        return self._connection.execute(update(source).where(chosen).values(values)).rowcount

    # Streams: named times, kept beside the claims of tasks

    def times(self, names: Collection[str]) -> dict[str, datetime]:
        """Return the stored times with these names."""
        rows = self._connection.execute(select(checked.c.key, checked.c.at).where(checked.c.key.in_(names)))
        return {row.key: row.at for row in rows}

    def put_times(self, times: Mapping[str, datetime]) -> None:
        """Store times by name."""
        rows = [{"key": key, "at": at} for key, at in sorted(times.items())]
        self._connection.execute(upsert.statement(self._connection, checked, index=["key"], changing=["at"]), rows)

    def forget_times(self, names: Collection[str]) -> None:
        """Delete stored times."""
        self._connection.execute(delete(checked).where(checked.c.key.in_(names)))
