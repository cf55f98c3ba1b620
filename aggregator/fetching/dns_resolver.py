"""Resolve host names in dedicated threads, each name once at a time, within a time limit.

The system's resolver can take half a minute for a name whose servers are slow, and can't be interrupted. The number of
concurrent lookups is limited; the wait for a free slot does not count towards a request's time limit.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import suppress
from typing import NamedTuple

from aiohttp.abc import AbstractResolver, ResolveResult

__all__ = ["ResolvedNames", "SystemResolver"]

MOST_LOOK_UPS = 64  # concurrent
_KEPT = 10.0  # seconds that a result is cached


class SystemResolver(AbstractResolver):
    """The system's resolver (`getaddrinfo`), `/etc/hosts` included.

    Each lookup runs in a daemon thread, which does not keep the process from ending.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name.

        Raises:
            OSError: the name was not found.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[ResolveResult]] = loop.create_future()

        def settle(addresses: list[ResolveResult] | None, problem: Exception | None) -> None:
            if answer.done():
                return
            if addresses is None:
                answer.set_exception(problem or OSError("no answer"))
            else:
                answer.set_result(addresses)

        def look_up() -> None:
            addresses, problem = None, None
            try:
                addresses = _addresses(host, port, family)
            except Exception as caught:  # noqa: BLE001 - raised in the waiting task
                problem = caught
            with suppress(RuntimeError):  # the event loop was closed meanwhile
                loop.call_soon_threadsafe(settle, addresses, problem)

        threading.Thread(target=look_up, name="resolver", daemon=True).start()
        return await answer

    async def close(self) -> None:
        """Do nothing: running lookups are not awaited."""


def _addresses(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)
    addresses: list[ResolveResult] = []
    for kind, _, protocol, _, target in found:
        # With its scope, where it has one: "fe80::1%eth0".
        address, _ = socket.getnameinfo(target, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        addresses.append(
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=protocol, flags=flags)
        )
    return addresses


class _Pending(NamedTuple):
    began: asyncio.Event  # set once it has a slot
    answer: asyncio.Task[list[ResolveResult]]


class ResolvedNames(AbstractResolver):
    """Caches resolved names for seconds and merges concurrent lookups of one name."""

    def __init__(self, resolver: AbstractResolver, most: int = MOST_LOOK_UPS) -> None:
        self._resolver = resolver
        self._slots = asyncio.Semaphore(most)
        self._known: dict[str, tuple[float, list[ResolveResult]]] = {}
        self._pending: dict[str, _Pending] = {}

    async def look_up(self, host: str, limit: float | None) -> list[ResolveResult]:
        """Resolve a name and cache its addresses for the connection that follows.

        Raises:
            OSError: the name was not found.
            TimeoutError: the lookup took longer than `limit` seconds, without the wait for a free slot.
        """
        now = time.monotonic()
        kept = self._known.get(host)
        if kept is not None and now - kept[0] < _KEPT:
            return kept[1]
        pending = self._pending.get(host) or self._begin(host)
        await pending.began.wait()
        async with asyncio.timeout(limit):
            return await asyncio.shield(pending.answer)

    def forget(self) -> None:
        """Empty the cache."""
        self._known.clear()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name for a connection; the caller limits the time."""
        found = await self.look_up(host, None)
        return [
            ResolveResult(**{**record, "port": port})
            for record in found
            if family in {socket.AF_UNSPEC, record["family"]}
        ]

    async def close(self) -> None:
        """Cancel pending lookups and close the resolver."""
        for pending in self._pending.values():
            pending.answer.cancel()
        await self._resolver.close()

    def _begin(self, host: str) -> _Pending:
        began = asyncio.Event()
        pending = self._pending[host] = _Pending(began, asyncio.create_task(self._ask(host, began)))
        pending.answer.add_done_callback(lambda _: self._end(host))
        return pending

    async def _ask(self, host: str, began: asyncio.Event) -> list[ResolveResult]:
        try:
            async with self._slots:
                began.set()
                return await self._resolver.resolve(host, family=socket.AF_UNSPEC)
        finally:
            began.set()

    def _end(self, host: str) -> None:
        pending, now = self._pending.pop(host), time.monotonic()
        if pending.answer.cancelled() or pending.answer.exception() is not None:
            return
        self._known = {name: kept for name, kept in self._known.items() if now - kept[0] < _KEPT}
        self._known[host] = (now, pending.answer.result())
