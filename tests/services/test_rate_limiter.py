"""Test request slots of concurrent tasks and processes, on both databases."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from aggregator.container import utc_now
from aggregator.domain.errors import PausedError
from aggregator.services.rate_limiter import HostRateLimiter

if TYPE_CHECKING:
    from storage.store import Store

HOST = "news.example:443"
SPACING = 0.15


def _turns(store: Store, *, concurrency: int = 1, spacing: float = SPACING) -> HostRateLimiter:
    return HostRateLimiter(store, utc_now, spacing=timedelta(seconds=spacing), concurrency=concurrency)


def test_starts_are_spaced_and_one_at_a_time_over_several_workers(store: Store) -> None:
    workers = [_turns(store), _turns(store)]
    starts: list[float] = []
    running = most = 0

    async def call(turns: HostRateLimiter) -> None:
        nonlocal running, most
        async with turns.acquire(HOST):
            starts.append(time.monotonic())
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.02)
            running -= 1

    async def all_calls() -> None:
        await asyncio.gather(*(call(workers[number % 2]) for number in range(6)))

    began = time.monotonic()
    asyncio.run(all_calls())
    assert most == 1
    # The granted starts are exact, and a task may only wake after its own.
    sooner = [place for place, start in enumerate(sorted(starts)) if start - began < place * SPACING - 0.05]
    assert (len(starts), sooner) == (6, [])


def test_hosts_do_not_wait_for_each_other(store: Store) -> None:
    turns = _turns(store, spacing=30)

    async def both() -> None:
        async with turns.acquire("one.example:443"), turns.acquire("two.example:443"):
            pass

    began = time.monotonic()
    asyncio.run(both())
    assert time.monotonic() - began < 10


def test_a_pause_is_told_with_the_time_left(store: Store) -> None:
    turns = _turns(store)

    async def paused() -> None:
        await turns.pause(HOST, utc_now() + timedelta(minutes=20), "it answered 429")
        async with turns.acquire(HOST):
            pytest.fail("it was called")

    with pytest.raises(PausedError, match="paused for another 20 min: it answered 429") as caught:
        asyncio.run(paused())
    assert caught.value.until is not None


@pytest.mark.parametrize("how", ["error", "cancelled"])
def test_a_turn_is_given_back_whatever_happens(store: Store, how: str) -> None:
    turns = _turns(store, spacing=0)

    async def hold(acquired: asyncio.Event) -> None:
        async with turns.acquire(HOST):
            acquired.set()
            if how == "error":
                raise ValueError
            await asyncio.Event().wait()

    async def then_another() -> None:
        acquired = asyncio.Event()
        task = asyncio.create_task(hold(acquired))
        await acquired.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(5), turns.acquire(HOST):
            pass

    asyncio.run(then_another())
