"""Test batches of events: order, bounds, and the end of a stream."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from aggregator.services.event_batches import MOST, EventBatches

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Numbers:
    """A stream of numbers that counts how many were taken from it."""

    def __init__(self, count: int, problem: Exception | None = None, *, ends: bool = True) -> None:
        self._count, self._problem, self._ends = count, problem, ends
        self.given = 0
        self.closed = False

    async def __call__(self) -> AsyncGenerator[int]:
        try:
            for number in range(self._count):
                self.given = number + 1
                yield number
            if self._problem is not None:
                raise self._problem
            if not self._ends:
                await asyncio.Event().wait()
        finally:
            self.closed = True


async def _all(batches: EventBatches[int]) -> list[list[int]]:
    taken = []
    while (batch := await batches.take(5.0)) is not None:
        taken.append(batch)
    return taken


def test_events_are_given_in_order_in_batches_of_a_bounded_size() -> None:
    async def work() -> list[list[int]]:
        async with EventBatches(Numbers(3 * MOST + 7)(), linger=0.01) as batches:
            return await _all(batches)

    taken = asyncio.run(work())
    assert [number for batch in taken for number in batch] == list(range(3 * MOST + 7))
    assert max(map(len, taken)) == MOST


def test_an_error_comes_after_the_events_before_it() -> None:
    async def work() -> list[int]:
        async with EventBatches(Numbers(3, ValueError("broken"))(), linger=0.01) as batches:
            first = await batches.take(5.0)
            with pytest.raises(ValueError, match="broken"):
                await batches.take(5.0)
            return first or []

    assert asyncio.run(work()) == [0, 1, 2]


def test_without_events_an_empty_batch_is_given_and_the_stream_goes_on() -> None:
    numbers = Numbers(0, ends=False)

    async def work() -> list[list[int] | None]:
        async with EventBatches(numbers(), linger=0.01) as batches:
            return [await batches.take(0.05), await batches.take(0.05)]

    assert asyncio.run(work()) == [[], []]
    assert numbers.closed


def test_events_that_are_not_taken_wait_in_the_stream() -> None:
    numbers = Numbers(100 * MOST)

    async def work() -> int:
        async with EventBatches(numbers(), linger=0.01) as batches:
            await batches.take(5.0)
            before = -1
            while numbers.given != before:
                before = numbers.given
                await asyncio.sleep(0.05)  # until nothing more is taken from it
            return numbers.given

    assert asyncio.run(work()) <= 4 * MOST
    assert numbers.closed
