"""Grant request slots for hosts to all workers. No request starts without a slot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from aggregator.domain.polling.backoff import FIRST_PAUSE, MOST_STRIKES, is_eased, next_pause
from aggregator.domain.polling.host_limits import Pause, Turn, Wanted
from storage.engine import upsert
from storage.tables.polling import host

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection, Row


_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_SHORTEST_WAIT = timedelta(milliseconds=100)  # before checking again whether a running request has ended
_SLACK = timedelta(minutes=5)  # by which the clocks of workers may differ


class Hosts:
    """The hosts, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def turns(self, requests: Iterable[Wanted], now: datetime, *, hold: timedelta) -> dict[str, Turn]:
        """End and grant slots at any number of hosts, with two statements; return the turn for each token.

        A granted slot ends when it is released, or `hold` after its start.
        """
        by_name = {request.policy.name: request for request in requests}
        rows = self._locked(by_name)
        answers: dict[str, Turn] = {}
        changes = [_change(rows[name], request, now, hold, answers) for name, request in by_name.items()]
        self._connection.execute(_CHANGE, changes)
        return answers

    def pause(
        self, name: str, until: datetime | None, now: datetime, reason: str, *, first: timedelta = FIRST_PAUSE
    ) -> datetime:
        """Pause a host until `until`; a longer current pause stays.

        If `until` is None, `next_pause` gives its length. Returns its end.
        """
        row = self._locked([name])[name]
        strikes = row.strikes
        if until is None:
            until = now + next_pause(strikes, first)
            strikes = min(strikes + 1, MOST_STRIKES)
        if row.paused_until is None or row.paused_until < until:
            self._connection.execute(
                update(host).where(host.c.name == name).values(paused_until=until, pause_reason=reason, strikes=strikes)
            )
            return until
        return row.paused_until  # type: ignore[no-any-return]  # SQLAlchemy can't type a row's columns

    def lift(self, name: str, now: datetime) -> bool:
        """End a host's pause; return whether it was paused."""
        running = host.c.paused_until > now
        lifted = update(host).where(host.c.name == name, running).values(paused_until=None, pause_reason=None)
        return self._connection.execute(lifted).rowcount > 0

    def paused(self, now: datetime) -> list[Pause]:
        """Return the paused hosts."""
        rows = self._connection.execute(select(host).where(host.c.paused_until > now).order_by(host.c.name))
        return [Pause(row.name, row.paused_until, row.pause_reason) for row in rows]

    def forget_idle(self, before: datetime) -> int:
        """Delete rows of hosts not called since a time; return the number."""
        idle = (host.c.next_start < before) & (host.c.paused_until.is_(None) | (host.c.paused_until < before))
        return self._connection.execute(host.delete().where(idle)).rowcount

    def _locked(self, names: Iterable[str]) -> dict[str, Row[Any]]:
        """Return the hosts' rows, created if missing, locked in a fixed order to prevent deadlocks."""
        ordered = sorted(names)
        statement = select(host).where(host.c.name.in_(ordered)).order_by(host.c.name).with_for_update()
        rows = {row.name: row for row in self._connection.execute(statement)}
        missing = [name for name in ordered if name not in rows]
        if not missing:
            return rows
        self._connection.execute(
            upsert.statement(self._connection, host, index=["name"], changing=[]),
            [{"name": name, "next_start": _NEVER, "running": {}} for name in missing],
        )
        return {row.name: row for row in self._connection.execute(statement)}


def _change(row: Row[Any], request: Wanted, now: datetime, hold: timedelta, answers: dict[str, Turn]) -> dict[str, Any]:
    """Return the new state of a host's row, and add the answers."""
    ended = set(request.ended)
    running: Mapping[str, float] = row.running
    # Times further ahead were written by a clock that was ahead.
    furthest = now + request.policy.spacing * (request.policy.concurrency + 1) + _SLACK
    begun_by, ends_by = now.timestamp(), (furthest + hold).timestamp()
    kept = {token: end for token, end in running.items() if begun_by < end <= ends_by and token not in ended}
    paused_until, strikes = row.paused_until, row.strikes
    if request.answered and is_eased(strikes, paused_until, now):
        strikes, paused_until = strikes - 1, now  # the next step back counts from now
    next_start = min(row.next_start, furthest)
    for token in request.asks:
        if paused_until and paused_until > now:
            answers[token] = Turn(granted=False, start=paused_until, paused=row.pause_reason or "it asked us to wait")
        elif len(kept) >= request.policy.concurrency:
            answers[token] = Turn(granted=False, start=now + max(_SHORTEST_WAIT, request.policy.spacing / 4))
        else:
            start = max(now, next_start)
            next_start = start + request.policy.spacing
            kept[token] = (start + hold).timestamp()
            answers[token] = Turn(granted=True, start=start)
    return {
        "row": row.name,
        "to_next_start": next_start,
        "to_running": kept,
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
