"""Limit requests per host across all workers, with one row per host.

Many requests start and end at about the same time, so a process batches its slot requests: while a transaction runs,
new requests wait for the next one.
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
from aggregator.domain.polling.backoff import FIRST_PAUSE
from aggregator.domain.polling.host_groups import HostGroups, HostPolicy, Pauses
from aggregator.domain.polling.host_limits import HostTurn, Wanted
from aggregator.system.thread_pools import in_database_thread
from aggregator.text.durations import spoken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection
    from datetime import datetime

    from aggregator.domain.clock import Clock
    from aggregator.domain.polling.host_limits import Turn
    from storage.store import Store

API_CONCURRENCY = 8  # concurrent requests per API endpoint: its rate limit is the actual bound
FIRST_WINDOW = timedelta(minutes=15)  # of an endpoint that doesn't report when its window ends: the usual window
_JITTER = 0.25  # so that waiters don't return at the same time
LONGEST_HOLD = timedelta(seconds=45)  # longer than any request may take; then the slot of a dead worker is free
_GROUPS_KEPT = 60.0  # seconds until the operators' table is read again


def left_alone(host: str, until: datetime, reason: str, now: datetime) -> PausedError:
    """Return the error for calling a paused host, with the remaining time."""
    left = spoken(timedelta(seconds=round((until - now).total_seconds())))
    return PausedError(f"{host} is paused for another {left}: {reason}.", until=until)


@dataclass(slots=True)
class _Pending:
    """Slot requests and releases of one host for the next transaction."""

    policy: HostPolicy
    asks: dict[str, asyncio.Future[Turn]] = field(default_factory=dict)  # by token
    ended: list[str] = field(default_factory=list)
    answered: bool = False


class HostRateLimiter:
    """The `RateLimiter` port on the store, for one event loop."""

    def __init__(
        self, store: Store, clock: Clock, *, spacing: timedelta, concurrency: int, hold: timedelta = LONGEST_HOLD
    ) -> None:
        self._store = store
        self._clock = clock
        self._spacing = spacing
        self._concurrency = concurrency
        self._hold = hold
        # So that a process requests no slot that it can't use.
        self._queues: dict[tuple[str, int], asyncio.Semaphore] = {}
        self._pending: dict[str, _Pending] = {}
        self._serving: asyncio.Task[None] | None = None
        self._groups: HostGroups | None = None
        self._groups_read = 0.0
        self._reading = asyncio.Lock()

    @asynccontextmanager
    async def acquire(self, host: str, endpoint: str = "") -> AsyncIterator[HostTurn]:
        """Wait for a request slot at a host ("name:port"), or at an API endpoint there, and hold it.

        Raises:
            PausedError: the host is paused.
        """
        policy = await self._policy(host, endpoint)
        place = (policy.name, policy.concurrency)
        async with self._queues.setdefault(place, asyncio.Semaphore(policy.concurrency)):
            token = uuid4().hex
            turn = HostTurn()
            try:
                await self._wait(policy, token)
                yield turn
            finally:
                self._end(policy, token, answered=turn.answered)

    async def pause(self, host: str, until: datetime | None, reason: str, endpoint: str = "") -> datetime:
        """Pause a host until `until`; if the host gave no time, each pause is longer than the last.

        Returns when the caller may retry. If the group pauses single addresses, the host itself isn't paused.
        """
        policy = await self._policy(host, endpoint)
        now = self._clock()
        if policy.pauses is Pauses.URL:
            return until or now + FIRST_PAUSE
        first = FIRST_WINDOW * (1 + _JITTER * random()) if endpoint else FIRST_PAUSE  # noqa: S311 - no secret
        return await in_database_thread(self._pause, policy.name, until, now, reason, first)

    async def close(self) -> None:
        """Wait until every slot that ended has been released."""
        while self._serving is not None:
            await asyncio.shield(self._serving)

    @property
    def serving(self) -> asyncio.Task[None] | None:
        """The task that runs the transactions, while there are any."""
        return self._serving

    async def _wait(self, policy: HostPolicy, token: str) -> None:
        while True:
            turn = await self._ask(policy, token)
            now = self._clock()
            if turn.paused is not None:
                raise left_alone(policy.name, turn.start, turn.paused, now)
            await asyncio.sleep(max(0.0, (turn.start - now).total_seconds()))
            if turn.granted:
                return

    async def _ask(self, policy: HostPolicy, token: str) -> Turn:
        answer: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._pending_of(policy).asks[token] = answer
        return await answer

    def _end(self, policy: HostPolicy, token: str, *, answered: bool) -> None:
        """Release a slot with the next transaction, even if it was requested and never granted."""
        pending = self._pending_of(policy)
        pending.asks.pop(token, None)
        pending.ended.append(token)
        pending.answered |= answered

    def _pending_of(self, policy: HostPolicy) -> _Pending:
        if self._serving is None:
            self._serving = asyncio.create_task(self._serve())
        return self._pending.setdefault(policy.name, _Pending(policy))

    async def _serve(self) -> None:
        """Run transactions until no requests are left."""
        try:
            await asyncio.sleep(0)  # collect all requests of this round of the event loop
            while self._pending:
                pending, self._pending = self._pending, {}
                await self._answer(pending.values())
        finally:
            self._serving = None

    async def _answer(self, pending: Collection[_Pending]) -> None:
        waiting = {token: answer for batch in pending for token, answer in batch.asks.items()}
        try:
            turns = await in_database_thread(self._transact, pending, self._clock())
        except Exception as problem:  # noqa: BLE001 - every error goes to the waiters
            for answer in waiting.values():
                if not answer.done():
                    answer.set_exception(problem)
            return
        for token, answer in waiting.items():
            if not answer.done():  # abandoned requests release their slot in `_end`
                answer.set_result(turns[token])

    def _transact(self, pending: Collection[_Pending], now: datetime) -> dict[str, Turn]:
        requests = [Wanted(batch.policy, list(batch.asks), batch.ended, batch.answered) for batch in pending]
        with self._store.writing(lock_stream=False) as tx:
            return tx.polling.hosts.turns(requests, now, hold=self._hold)

    async def _policy(self, host: str, endpoint: str) -> HostPolicy:
        async with self._reading:
            if self._groups is None or time.monotonic() - self._groups_read > _GROUPS_KEPT:
                self._groups = await in_database_thread(self._read_groups)
                self._groups_read = time.monotonic()
        policy = self._groups.policy(host, spacing=self._spacing, concurrency=self._concurrency)
        if not endpoint:
            return policy
        return HostPolicy(f"{policy.name}{endpoint}", timedelta(), API_CONCURRENCY, Pauses.GROUP)

    def _read_groups(self) -> HostGroups:
        with self._store.reading() as tx:
            return HostGroups(tx.polling.host_groups.all())

    def _pause(self, name: str, until: datetime | None, now: datetime, reason: str, first: timedelta) -> datetime:
        with self._store.writing(lock_stream=False) as tx:
            return tx.polling.hosts.pause(name, until, now, reason, first=first)
