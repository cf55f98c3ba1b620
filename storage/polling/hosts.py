"""Hosts: who may be called when, over all workers. A turn is granted here before any request starts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from aggregator.domain.polling.host_turns import FIRST_PAUSE, LONGEST_PAUSE, Pause, Turn, Wanted
from storage.engine import upsert
from storage.tables.polling import host

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection, Row


_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_SHORTEST_WAIT = timedelta(milliseconds=100)  # before asking again whether a request under way has ended
_SLACK = timedelta(minutes=5)  # by which the clocks of workers may differ
_EASING = timedelta(hours=1)  # of good answers takes one step of a growing pause back


class Hosts:
    """The hosts, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def turns(self, wanted: Iterable[Wanted], now: datetime, *, hold: timedelta) -> dict[str, Turn]:
        """End and grant turns at any number of hosts, with two statements; return the answer to each token.

        A granted turn ends when it is given back, or `hold` after its start if nobody does.
        """
        by_name = {one.manners.name: one for one in wanted}
        rows = self._locked(by_name)
        answers: dict[str, Turn] = {}
        changes = [_change(rows[name], one, now, hold, answers) for name, one in by_name.items()]
        self._connection.execute(_CHANGE, changes)
        return answers

    def pause(
        self, name: str, until: datetime | None, now: datetime, reason: str, *, first: timedelta = FIRST_PAUSE
    ) -> datetime:
        """Let nobody call a host before `until`; a longer pause that runs already stays.

        Where `until` is None, the pause is `first`, and twice as long each time, up to a day. Returns its end.
        """
        row = self._locked([name])[name]
        strikes = row.strikes
        if until is None:
            until = now + min(first * 2**strikes, LONGEST_PAUSE)
            strikes = min(strikes + 1, 10)
        if row.paused_until is None or row.paused_until < until:
            self._connection.execute(
                update(host).where(host.c.name == name).values(paused_until=until, pause_reason=reason, strikes=strikes)
            )
            return until
        return row.paused_until  # type: ignore[no-any-return]  # SQLAlchemy can't type a row's columns

    def lift(self, name: str, now: datetime) -> bool:
        """End a host's pause; return whether there was one."""
        running = host.c.paused_until > now
        lifted = update(host).where(host.c.name == name, running).values(paused_until=None, pause_reason=None)
        return self._connection.execute(lifted).rowcount > 0

    def paused(self, now: datetime) -> list[Pause]:
        """Return the hosts that are paused."""
        rows = self._connection.execute(select(host).where(host.c.paused_until > now).order_by(host.c.name))
        return [Pause(row.name, row.paused_until, row.pause_reason) for row in rows]

    def forget_idle(self, before: datetime) -> int:
        """Drop rows of hosts not called since a moment; return how many."""
        idle = (host.c.next_start < before) & (host.c.paused_until.is_(None) | (host.c.paused_until < before))
        return self._connection.execute(host.delete().where(idle)).rowcount

    def _locked(self, names: Iterable[str]) -> dict[str, Row[Any]]:
        """Return the hosts' rows, made where they are missing, locked in one order so that nobody deadlocks."""
        wanted = sorted(names)
        statement = select(host).where(host.c.name.in_(wanted)).order_by(host.c.name).with_for_update()
        rows = {row.name: row for row in self._connection.execute(statement)}
        missing = [name for name in wanted if name not in rows]
        if not missing:
            return rows
        self._connection.execute(
            upsert.statement(self._connection, host, index=["name"], changing=[]),
            [{"name": name, "next_start": _NEVER, "running": {}} for name in missing],
        )
        return {row.name: row for row in self._connection.execute(statement)}


def _change(row: Row[Any], one: Wanted, now: datetime, hold: timedelta, answers: dict[str, Turn]) -> dict[str, Any]:
    """Return what becomes of a host's row, and fill in the answers."""
    ended = set(one.ended)
    running: Mapping[str, float] = row.running
    # What lies further ahead was written by a clock that was ahead.
    furthest = now + one.manners.spacing * (one.manners.concurrency + 1) + _SLACK
    begun_by, ends_by = now.timestamp(), (furthest + hold).timestamp()
    held = {token: end for token, end in running.items() if begun_by < end <= ends_by and token not in ended}
    paused_until, strikes = row.paused_until, row.strikes
    if one.answered and strikes and (paused_until is None or now >= paused_until + _EASING):
        strikes, paused_until = strikes - 1, now  # the next step back is counted from here
    next_start = min(row.next_start, furthest)
    for token in one.asks:
        if paused_until and paused_until > now:
            answers[token] = Turn(granted=False, start=paused_until, paused=row.pause_reason or "it asked us to wait")
        elif len(held) >= one.manners.concurrency:
            answers[token] = Turn(granted=False, start=now + max(_SHORTEST_WAIT, one.manners.spacing / 4))
        else:
            start = max(now, next_start)
            next_start = start + one.manners.spacing
            held[token] = (start + hold).timestamp()
            answers[token] = Turn(granted=True, start=start)
    return {
        "row": row.name,
        "to_next_start": next_start,
        "to_running": held,
        "to_paused_until": paused_until,
        "to_strikes": strikes,
    }


_CHANGE = (
    update(host)
    .where(host.c.name == bindparam("row"))
    .values(
        next_start=bindparam("to_next_start"),
        running=bindparam("to_running"),
        paused_until=bindparam("to_paused_until"),
        strikes=bindparam("to_strikes"),
    )
)
