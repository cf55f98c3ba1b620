"""Turns: one request to a host at a time and some way apart, over all workers, granted by the host's row.

Many requests begin and end at about the same time, so a process asks for all their turns together: while one
transaction runs, what is wanted meanwhile waits for the next.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import random
from typing import TYPE_CHECKING
from uuid import uuid4

from aggregator.domain.errors import PausedError
from aggregator.domain.polling.host_groups import HostGroups, HostPolicy, Pauses
from aggregator.domain.polling.host_turns import FIRST_PAUSE, Wanted
from aggregator.domain.polling.rate_limit import HostTurn
from aggregator.system.thread_pools import in_database_thread
from aggregator.text.durations import spoken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection
    from datetime import datetime

    from aggregator.domain.polling.host_turns import Turn
    from aggregator.domain.polling.rate_limit import Clock
    from storage.store import Store

API_CONCURRENCY = 8  # requests to one endpoint of an API at the same time: its rate limit is what counts
FIRST_WINDOW = timedelta(minutes=15)  # of an endpoint that does not say when its limit ends: the usual window
_JITTER = 0.25  # so that those who wait do not come back together
LONGEST_HOLD = timedelta(seconds=45)  # longer than any request may take; then the turn of a dead worker is free
_GROUPS_KEPT = 60.0  # seconds after which the operators' table is read again


def left_alone(host: str, until: datetime, reason: str, now: datetime) -> PausedError:
    """Return the error of calling a host that asked for silence, with the time left."""
    left = spoken(timedelta(seconds=round((until - now).total_seconds())))
    return PausedError(f"{host} is left alone for another {left}: {reason}.", until=until)


@dataclass(slots=True)
class _Wants:
    """What is wanted of one host in the next transaction."""

    manners: HostPolicy
    asks: dict[str, asyncio.Future[Turn]] = field(default_factory=dict)  # by token
    ended: list[str] = field(default_factory=list)
    answered: bool = False


class HostRateLimiter:
    """The `Quiet` port over the store, for one event loop."""

    def __init__(
        self, store: Store, clock: Clock, *, spacing: timedelta, concurrency: int, hold: timedelta = LONGEST_HOLD
    ) -> None:
        self._store = store
        self._clock = clock
        self._spacing = spacing
        self._concurrency = concurrency
        self._hold = hold
        self._queues: dict[
            tuple[str, int], asyncio.Semaphore
        ] = {}  # so that a process asks for no turn that it can't use
        self._wants: dict[str, _Wants] = {}
        self._serving: asyncio.Task[None] | None = None
        self._groups: HostGroups | None = None
        self._groups_read = 0.0
        self._reading = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, host: str, endpoint: str = "") -> AsyncIterator[HostTurn]:
        """Wait for a turn at a host ("name:port"), or at an endpoint of an API there, and hold it.

        Raises:
            PausedError: the host asked us to stay away.
        """
        manners = await self._manners(host, endpoint)
        place = (manners.name, manners.concurrency)
        async with self._queues.setdefault(place, asyncio.Semaphore(manners.concurrency)):
            token = uuid4().hex
            held = HostTurn()
            try:
                await self._wait(manners, token)
                yield held
            finally:
                self._end(manners, token, answered=held.answered)

    async def pause(self, host: str, until: datetime | None, reason: str, endpoint: str = "") -> datetime:
        """Let nobody call a host before `until`; where it did not say for how long, each time for longer.

        Returns until when the caller should leave it alone. Where only addresses pause, the host itself does not.
        """
        manners = await self._manners(host, endpoint)
        now = self._clock()
        if manners.pauses is Pauses.URL:
            return until or now + FIRST_PAUSE
        first = FIRST_WINDOW * (1 + _JITTER * random()) if endpoint else FIRST_PAUSE  # noqa: S311 - no secret
        return await in_database_thread(self._pause, manners.name, until, now, reason, first)

    async def close(self) -> None:
        """Wait until every turn that ended has been given back."""
        while self._serving is not None:
            await asyncio.shield(self._serving)

    @property
    def serving(self) -> asyncio.Task[None] | None:
        """The task that runs the transactions, while there are any to run."""
        return self._serving

    async def _wait(self, manners: HostPolicy, token: str) -> None:
        while True:
            turn = await self._ask(manners, token)
            now = self._clock()
            if turn.paused is not None:
                raise left_alone(manners.name, turn.start, turn.paused, now)
            await asyncio.sleep(max(0.0, (turn.start - now).total_seconds()))
            if turn.granted:
                return

    async def _ask(self, manners: HostPolicy, token: str) -> Turn:
        answer: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._want(manners).asks[token] = answer
        return await answer

    def _end(self, manners: HostPolicy, token: str, *, answered: bool) -> None:
        """Give a turn back with the next transaction, also one that was asked for and not waited for."""
        wants = self._want(manners)
        wants.asks.pop(token, None)
        wants.ended.append(token)
        wants.answered |= answered

    def _want(self, manners: HostPolicy) -> _Wants:
        if self._serving is None:
            self._serving = asyncio.create_task(self._serve())
        return self._wants.setdefault(manners.name, _Wants(manners))

    async def _serve(self) -> None:
        """Run one transaction after another until nothing is wanted."""
        try:
            await asyncio.sleep(0)  # whatever else is about to be wanted in this round of the event loop
            while self._wants:
                wants, self._wants = self._wants, {}
                await self._answer(wants.values())
        finally:
            self._serving = None

    async def _answer(self, wants: Collection[_Wants]) -> None:
        waiting = {token: answer for one in wants for token, answer in one.asks.items()}
        try:
            turns = await in_database_thread(self._transact, wants, self._clock())
        except Exception as problem:  # noqa: BLE001 - whoever asked is told, whatever it was
            for answer in waiting.values():
                if not answer.done():
                    answer.set_exception(problem)
            return
        for token, answer in waiting.items():
            if not answer.done():  # who no longer waits gives the turn back
                answer.set_result(turns[token])

    def _transact(self, wants: Collection[_Wants], now: datetime) -> dict[str, Turn]:
        wanted = [Wanted(one.manners, list(one.asks), one.ended, one.answered) for one in wants]
        with self._store.writing(lock_stream=False) as tx:
            return tx.polling.hosts.turns(wanted, now, hold=self._hold)

    async def _manners(self, host: str, endpoint: str) -> HostPolicy:
        async with self._reading:
            if self._groups is None or time.monotonic() - self._groups_read > _GROUPS_KEPT:
                self._groups = await in_database_thread(self._read_groups)
                self._groups_read = time.monotonic()
        manners = self._groups.manners(host)
        if not endpoint:
            return manners
        return HostPolicy(f"{manners.name}{endpoint}", timedelta(), API_CONCURRENCY, Pauses.GROUP)

    def _read_groups(self) -> HostGroups:
        with self._store.reading() as tx:
            return HostGroups(tx.polling.host_groups.all(), spacing=self._spacing, concurrency=self._concurrency)

    def _pause(self, name: str, until: datetime | None, now: datetime, reason: str, first: timedelta) -> datetime:
        with self._store.writing(lock_stream=False) as tx:
            return tx.polling.hosts.pause(name, until, now, reason, first=first)
