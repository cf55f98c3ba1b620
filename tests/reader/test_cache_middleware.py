"""Test how soon cached responses are refreshed after a change."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aggregator.reader import cache_middleware
from aggregator.reader.cache_middleware import Refresher
from aggregator.reader.change_watcher import StreamSnapshot
from aggregator.reader.health import Health

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


class Watched:
    """A stream whose revision a test sets."""

    def __init__(self) -> None:
        self.beat = StreamSnapshot(1, Health())
        self.unaltered_since = 0
        self._moved = asyncio.Event()

    async def wait(self, after: int, seconds: float) -> bool:
        del seconds
        while self.beat.revision <= after:
            await self._moved.wait()
        return True

    def move(self, *, altered: bool) -> None:
        self.beat = StreamSnapshot(self.beat.revision + 1, Health())
        if altered:
            self.unaltered_since = self.beat.revision
        self._moved.set()
        self._moved = asyncio.Event()


class Cached:
    """A cache with one response, which counts the rounds of refreshes."""

    in_trouble = False

    def __init__(self) -> None:
        self.rounds: asyncio.Queue[int] = asyncio.Queue()

    def hottest(self, most: int) -> Iterator[Any]:
        del most
        self.rounds.put_nowait(1)
        yield "key"


async def _made(key: object) -> None:
    del key


async def _is_refreshed_after(*changes: bool) -> bool:
    """Return whether a change (True: an edit or removal) leads to another round before the pause is over."""
    stream, cached = Watched(), Cached()
    refresher = Refresher(cached, stream)  # type: ignore[arg-type]  # what it needs of them
    refresher.make = _made
    refresher.start()
    await cached.rounds.get()
    for altered in changes:
        stream.move(altered=altered)
        await asyncio.sleep(0)
    try:
        await asyncio.wait_for(cached.rounds.get(), 30.0 if any(changes) else 0.2)
    except TimeoutError:
        return False
    finally:
        refresher.stop()
    return True


def test_an_edit_or_removal_ends_the_pause_between_refreshes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise an outage of the database within the pause leaves no response that may be shown."""
    monkeypatch.setattr(cache_middleware, "_PAUSE", 3600.0)
    monkeypatch.setattr(cache_middleware, "_LEAST_PAUSE", 0.001)
    assert asyncio.run(_is_refreshed_after(True))
    assert asyncio.run(_is_refreshed_after(False, False, True))
    assert not asyncio.run(_is_refreshed_after(False, False))
