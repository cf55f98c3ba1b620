"""Build a client that may reach chosen loopback addresses, with scripted servers and names."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from aggregator.domain.polling.host_limits import HostTurn
from aggregator.fetching.client import Http
from aggregator.fetching.limits import Limits

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALLOWED = "127.0.0.9"  # stands for the public internet: the one address that clients of tests may reach
USER_AGENT = "ActivityStreamAggregator/1 (+https://example.org/contact)"
PATIENT = Limits(connect=20, first_byte=20, total=60, wire=100_000, decoded=200_000, page=20)
QUICK = Limits(connect=0.2, first_byte=0.4, total=0.7, wire=100_000, decoded=200_000, page=0.2)


@dataclass
class Turns:
    """Grants every slot and remembers the requests."""

    turns: list[str] = field(default_factory=list)
    pauses: list[tuple[str, datetime | None]] = field(default_factory=list)
    granted: list[HostTurn] = field(default_factory=list)

    @asynccontextmanager
    async def acquire(self, host: str, endpoint: str = "") -> AsyncIterator[HostTurn]:
        assert not endpoint  # feeds have none
        self.turns.append(host)
        self.granted.append(HostTurn())
        yield self.granted[-1]

    async def pause(self, host: str, until: datetime | None, reason: str, endpoint: str = "") -> datetime:
        assert not endpoint
        assert reason
        self.pauses.append((host, until))
        return until or NOW + timedelta(hours=1)


class Names(AbstractResolver):
    """Resolves names from a table, each lookup taking the next entry; unknown names go to the system."""

    def __init__(self, answers: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._answers = {name: list(answer) for name, answer in answers.items()}
        self._system = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host not in self._answers:
            return await self._system.resolve(host, port, family)
        answers = self._answers[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=0,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        pass


def client(
    *,
    limits: Limits = QUICK,
    turns: Turns | None = None,
    names: Mapping[str, Sequence[Sequence[str]]] | None = None,
    proxy: str | None = None,
    allowed: Sequence[str] = (f"{ALLOWED}/32",),
) -> Http:
    """Return a client; needs a running event loop."""
    return Http(
        user_agent=USER_AGENT,
        private_networks=[ip_network(network) for network in allowed],
        rate_limiter=turns or Turns(),
        clock=lambda: NOW,
        limits=limits,
        proxy=proxy,
        resolver=Names(names or {}),
    )


@asynccontextmanager
async def serving(
    play: Play, address: str = ALLOWED, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Let `play` handle every connection and give the port. Handlers that still run at the end are cancelled."""
    playing: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        playing.add(task)
        try:
            await play(reader, writer)
        except (OSError, EOFError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # the client had enough, or the test is over
        finally:
            playing.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, address, port, ssl=tls)
    async with server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:  # from Python 3.12 on, closing the server waits for them
            for task in list(playing):
                task.cancel()
            if playing:
                await asyncio.wait(playing, timeout=1)


async def request(reader: asyncio.StreamReader) -> str:
    """Read one request's head."""
    return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """Return a complete response, after which the connection is closed."""
    given = {"Content-Length": str(len(body)), "Connection": "close"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def saying(answers: list[bytes], seen: list[str] | None = None) -> Play:
    """Return a handler that sends one response after another; the last one repeats. Requests are noted in `seen`."""

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await request(reader)
        if seen is not None:
            seen.append(head)
        writer.write(answers.pop(0) if len(answers) > 1 else answers[0])
        await writer.drain()

    return play
