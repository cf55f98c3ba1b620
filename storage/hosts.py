"""Hosts: who may be called when, over all workers. A turn is granted here before any request starts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select, update

from storage import upsert
from storage.tables import host

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_SHORTEST_WAIT = timedelta(milliseconds=100)  # before asking again whether a request under way has ended


class Turn(NamedTuple):
    """The answer to "may I call this host?".

    Granted: `start` is when to call, and the turn must be given back. Not granted: ask again at `start`, or, where
    `paused` says why, not before it.
    """

    granted: bool
    start: datetime
    paused: str | None = None


class Pause(NamedTuple):
    """A host that asked to be left alone."""

    host: str
    until: datetime
    reason: str


class Hosts:
    """The hosts, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def turn(
        self, name: str, token: str, now: datetime, *, spacing: timedelta, concurrency: int, hold: timedelta
    ) -> Turn:
        """Ask for a turn at a host. A granted one ends when given back, or `hold` after its start if nobody does."""
        row = self._connection.execute(select(host).where(host.c.name == name).with_for_update()).one_or_none()
        if row is None:
            self._ensure(name)
            return self.turn(name, token, now, spacing=spacing, concurrency=concurrency, hold=hold)
        if row.paused_until and row.paused_until > now:
            return Turn(granted=False, start=row.paused_until, paused=row.pause_reason or "it asked us to wait")
        running: Mapping[str, float] = {key: end for key, end in row.running.items() if end > now.timestamp()}
        if len(running) >= concurrency:
            return Turn(granted=False, start=now + max(_SHORTEST_WAIT, spacing / 4))
        start = max(now, row.next_start)
        self._connection.execute(
            update(host)
            .where(host.c.name == name)
            .values(next_start=start + spacing, running={**running, token: (start + hold).timestamp()})
        )
        return Turn(granted=True, start=start)

    def give_back(self, name: str, token: str) -> None:
        """End a turn."""
        running = self._connection.execute(
            select(host.c.running).where(host.c.name == name).with_for_update()
        ).scalar_one()
        self._connection.execute(
            update(host)
            .where(host.c.name == name)
            .values(running={key: end for key, end in running.items() if key != token})
        )

    def pause(self, name: str, until: datetime, reason: str) -> None:
        """Let nobody call a host before `until`; a longer pause that runs already stays."""
        self._ensure(name)
        self._connection.execute(
            update(host)
            .where(host.c.name == name, host.c.paused_until.is_(None) | (host.c.paused_until < until))
            .values(paused_until=until, pause_reason=reason)
        )

    def paused(self, now: datetime) -> list[Pause]:
        """Return the hosts that are paused."""
        rows = self._connection.execute(select(host).where(host.c.paused_until > now).order_by(host.c.name))
        return [Pause(row.name, row.paused_until, row.pause_reason) for row in rows]

    def forget_idle(self, before: datetime) -> int:
        """Drop rows of hosts not called since a moment; return how many."""
        idle = (host.c.next_start < before) & (host.c.paused_until.is_(None) | (host.c.paused_until < before))
        return self._connection.execute(host.delete().where(idle)).rowcount

    def _ensure(self, name: str) -> None:
        statement = upsert.statement(self._connection, host, index=["name"], changing=[])
        self._connection.execute(statement, [{"name": name, "next_start": _NEVER, "running": {}}])
