"""Test the cache of pictures: limits of memory and concurrent work."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from aggregator.domain.errors import NotFoundError
from aggregator.web import picture_cache
from aggregator.web.picture_cache import PictureCache, PictureKey
from tests.pictures import picture

if TYPE_CHECKING:
    import pytest


def key(number: int) -> PictureKey:
    return PictureKey(f"item:{number}", f"https://pictures.example/{number}", 100)


def test_concurrent_requests_share_a_fetch() -> None:
    begun, may_end = [], threading.Event()

    def fetch(address: str) -> bytes:
        begun.append(address)
        may_end.wait(30)
        return picture()

    async def work() -> list[bytes | None]:
        cache = PictureCache(fetch)
        requests = [asyncio.create_task(cache.get(key(1))) for _ in range(20)]
        await asyncio.sleep(0)
        may_end.set()
        found = await asyncio.gather(*requests)
        cache.close()
        return found

    found = asyncio.run(work())
    assert len(begun) == 1
    assert len(set(found)) == 1
    assert found[0] is not None


def test_more_pictures_than_can_wait_are_absent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_cache, "_WAITING", 3)
    may_end = threading.Event()

    def fetch(_: str) -> bytes:
        may_end.wait(30)
        return picture()

    async def work() -> tuple[bytes | None, list[bytes | None]]:
        cache = PictureCache(fetch)
        requests = [asyncio.create_task(cache.get(key(number))) for number in range(3)]
        await asyncio.sleep(0)
        fourth = await cache.get(key(4))
        may_end.set()
        others = await asyncio.gather(*requests)
        cache.close()
        return fourth, others

    fourth, others = asyncio.run(work())
    assert fourth is None
    assert all(others)


def test_memory_is_bounded_and_the_least_used_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    def fetch(address: str) -> bytes:
        fetched.append(address)
        return picture()

    async def work() -> None:
        cache = PictureCache(fetch)
        await cache.get(key(0))
        monkeypatch.setattr(picture_cache, "MOST_BYTES", 5 * cache._size)
        for number in range(1, 9):
            await cache.get(key(0))  # in use
            await cache.get(key(number))
        assert len(cache._kept) == 5
        assert cache._size <= picture_cache.MOST_BYTES
        await cache.get(key(0))
        await cache.get(key(1))
        cache.close()

    asyncio.run(work())
    assert [fetched.count(key(number).address) for number in (0, 1, 8)] == [1, 2, 1]


def test_a_slow_picture_is_absent_for_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_cache, "_PATIENCE", 0.05)
    may_end = threading.Event()

    def fetch(_: str) -> bytes:
        may_end.wait(30)
        return picture()

    async def work() -> tuple[bytes | None, bytes | None]:
        cache = PictureCache(fetch)
        slow = await cache.get(key(1))
        may_end.set()
        monkeypatch.setattr(picture_cache, "_PATIENCE", 30)
        later = await cache.get(key(1))
        cache.close()
        return slow, later

    slow, later = asyncio.run(work())
    assert slow is None
    assert later is not None


def test_an_absent_picture_is_not_fetched_again_at_once() -> None:
    fetched: list[str] = []

    def fetch(address: str) -> bytes:
        fetched.append(address)
        raise NotFoundError("There is none.")

    async def work() -> list[bytes | None]:
        cache = PictureCache(fetch)
        found = [await cache.get(key(1)) for _ in range(3)]
        cache.close()
        return found

    assert asyncio.run(work()) == [None, None, None]
    assert len(fetched) == 1
