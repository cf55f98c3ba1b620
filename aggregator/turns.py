"""Turns: one request to a host at a time and some way apart, over all workers, granted by the host's row."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from aggregator.cadence import spoken
from aggregator.errors import PausedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from aggregator.source import Clock
    from storage.hosts import Turn
    from storage.store import Store

LONGEST_HOLD = timedelta(seconds=35)  # longer than any request may take; then the turn of a dead worker is free


def left_alone(host: str, until: datetime, reason: str, now: datetime) -> PausedError:
    """Return the error of calling a host that asked for silence, with the time left."""
    left = spoken(timedelta(seconds=round((until - now).total_seconds())))
    return PausedError(f"{host} is left alone for another {left}: {reason}.", until=until)


class HostTurns:
    """The `Quiet` port over the store."""

    def __init__(
        self, store: Store, clock: Clock, *, spacing: timedelta, concurrency: int, hold: timedelta = LONGEST_HOLD
    ) -> None:
        self._store = store
        self._clock = clock
        self._spacing = spacing
        self._concurrency = concurrency
        self._hold = hold
        self._queues: dict[str, asyncio.Semaphore] = {}  # so that only one task of a process asks the database

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Wait for a turn at a host and hold it.

        Raises:
            PausedError: the host asked us to stay away.
        """
        async with self._queues.setdefault(host, asyncio.Semaphore(self._concurrency)):
            token = uuid4().hex
            await self._wait(host, token)
            try:
                yield
            finally:
                # Also when the task was cancelled, so that the next one need not wait for the hold to run out.
                await asyncio.shield(asyncio.to_thread(self._give_back, host, token))

    async def pause(self, host: str, until: datetime, reason: str) -> None:
        """Let nobody call a host before `until`."""
        await asyncio.to_thread(self._pause, host, until, reason)

    async def _wait(self, host: str, token: str) -> None:
        while True:
            now = self._clock()
            turn = await asyncio.to_thread(self._ask, host, token, now)
            if turn.paused is not None:
                raise left_alone(host, turn.start, turn.paused, now)
            await asyncio.sleep(max(0.0, (turn.start - now).total_seconds()))
            if turn.granted:
                return

    def _ask(self, host: str, token: str, now: datetime) -> Turn:
        with self._store.writing() as tx:
            return tx.hosts.turn(
                host, token, now, spacing=self._spacing, concurrency=self._concurrency, hold=self._hold
            )

    def _give_back(self, host: str, token: str) -> None:
        with self._store.writing() as tx:
            tx.hosts.give_back(host, token)

    def _pause(self, host: str, until: datetime, reason: str) -> None:
        with self._store.writing() as tx:
            tx.hosts.pause(host, until, reason)
