"""Collect the events of a stream into batches, with a bounded number waiting."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Generic, NamedTuple, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

MOST = 2000  # events in a batch
LINGER = 0.25  # seconds that an event waits for others

_T = TypeVar("_T")


class _Ended(NamedTuple):
    problem: Exception | None


class EventBatches(Generic[_T]):
    """Batches of the events of a generator, which runs in a task of its own while the block is open.

    Args:
        events: they wait in the generator, and so at their sender, while two batches are not taken yet.
        linger: seconds that an event waits for others.
    """

    def __init__(self, events: AsyncGenerator[_T], linger: float = LINGER) -> None:
        self._events = events
        self._linger = linger
        self._queue: asyncio.Queue[_T | _Ended] = asyncio.Queue(2 * MOST)
        self._ended: _Ended | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._pump())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _pump(self) -> None:
        try:
            async with aclosing(self._events) as events:
                async for event in events:
                    await self._queue.put(event)
        except Exception as problem:  # noqa: BLE001 - raised where the batches are taken
            await self._queue.put(_Ended(problem))
        else:
            await self._queue.put(_Ended(None))

    async def take(self, wait: float) -> list[_T] | None:
        """Return the next events, none after `wait` seconds without any; None when the generator has ended.

        Raises:
            Exception: the generator's, after its events.
        """
        batch: list[_T] = []
        if self._ended is None and self._queue.empty():
            try:
                async with asyncio.timeout(wait):
                    self._add(batch, await self._queue.get())
            except TimeoutError:
                return []
        if self._ended is None and self._queue.qsize() < MOST:
            await asyncio.sleep(self._linger)
        while self._ended is None and len(batch) < MOST and not self._queue.empty():
            self._add(batch, self._queue.get_nowait())
        if batch or self._ended is None:
            return batch
        if self._ended.problem is not None:
            raise self._ended.problem
        return None

    def _add(self, batch: list[_T], event: _T | _Ended) -> None:
        if isinstance(event, _Ended):
            self._ended = event
        else:
            batch.append(event)
