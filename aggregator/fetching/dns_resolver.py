"""Resolve names of publishers in threads of their own, each name at most once at a time, within a time limit.

The system's resolver can take half a minute for a name whose servers are slow, and can't be interrupted. So many
look-ups may run at a time; waiting for that is not counted, since it is not the publisher's fault.
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

MOST_LOOK_UPS = 64  # at a time
_KEPT = 10.0  # seconds that an answer is used again


class SystemResolver(AbstractResolver):
    """The system's resolver (`getaddrinfo`), `/etc/hosts` included.

    Each look-up has a thread of its own, which does not keep the process from ending.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name.

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
            except Exception as caught:  # noqa: BLE001 - it is raised where the answer is waited for
                problem = caught
            with suppress(RuntimeError):  # the event loop was closed meanwhile
                loop.call_soon_threadsafe(settle, addresses, problem)

        threading.Thread(target=look_up, name="resolver", daemon=True).start()
        return await answer

    async def close(self) -> None:
        """Do nothing: look-ups under way are not waited for."""


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
    began: asyncio.Event  # it waits for no free slot any more
    answer: asyncio.Task[list[ResolveResult]]


class ResolvedNames(AbstractResolver):
    """Names that were resolved a moment ago; each is resolved once, however many wait for it."""

    def __init__(self, resolver: AbstractResolver, most: int = MOST_LOOK_UPS) -> None:
        self._resolver = resolver
        self._slots = asyncio.Semaphore(most)
        self._known: dict[str, tuple[float, list[ResolveResult]]] = {}
        self._pending: dict[str, _Pending] = {}

    async def look_up(self, host: str, limit: float | None) -> list[ResolveResult]:
        """Return every address of a name, and keep them for the connection that follows.

        Raises:
            OSError: the name was not found.
            TimeoutError: the resolver took longer than `limit` seconds; the wait for a free slot does not count.
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
        """Resolve every name again."""
        self._known.clear()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name for a connection; whoever connects limits the time."""
        found = await self.look_up(host, None)
        return [ResolveResult(**{**one, "port": port}) for one in found if family in {socket.AF_UNSPEC, one["family"]}]

    async def close(self) -> None:
        """Stop waiting for answers and close the resolver."""
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
