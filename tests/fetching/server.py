"""Run a scripted server on loopback that speaks raw HTTP, so that it can misbehave, with a client for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import TypeVar

import pytest

from aggregator.domain.errors import (
    PausedError,
    SourceError,
)
from aggregator.domain.polling.host_limits import HostTurn
from aggregator.fetching.client import Http
from aggregator.fetching.limits import Limits

FIRST_PAUSE = timedelta(hours=1)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LOOPBACK = (ip_network("127.0.0.1/32"),)
PATIENT = Limits(connect=20, first_byte=20, total=60, wire=100_000, decoded=200_000, page=20)
# For servers that are slow.
QUICK = Limits(connect=1, first_byte=0.4, total=0.8, wire=100_000, decoded=200_000, page=0.1)
_T = TypeVar("_T")


@dataclass
class Turns:
    """Grants every slot and remembers the requests."""

    turns: list[str] = field(default_factory=list)
    pauses: list[tuple[str, datetime | None]] = field(default_factory=list)
    closed: str | None = None
    granted: HostTurn = field(default_factory=HostTurn)  # the last one

    @asynccontextmanager
    async def acquire(self, host: str, endpoint: str = "") -> AsyncIterator[HostTurn]:
        assert not endpoint  # feeds have none
        if host == self.closed:
            raise PausedError("not now")
        self.turns.append(host)
        self.granted = HostTurn()
        yield self.granted

    async def pause(self, host: str, until: datetime | None, reason: str, endpoint: str = "") -> datetime:
        assert not endpoint
        assert reason
        self.pauses.append((host, until))
        return until or NOW + FIRST_PAUSE


@dataclass
class Server:
    """Answers by path with raw bytes, in pieces with a pause before each."""

    answers: dict[str, list[bytes]] = field(default_factory=dict)
    gap: float = 0.0
    requests: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.requests.append(request)
                for piece in self.answers[request.split(" ")[1]]:
                    await asyncio.sleep(self.gap)
                    writer.write(piece)
                    await writer.drain()
                if b"Content-Length" not in b"".join(self.answers[request.split(" ")[1]])[:2000]:
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> list[bytes]:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ["\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body]


def moved(status: str, location: str) -> list[bytes]:
    return answer(status=status, Location=location)


def with_server(
    script: Callable[[Http, Server], Awaitable[_T]], *, limits: Limits = PATIENT, turns: Turns | None = None
) -> tuple[_T, Server]:
    """Run `script` with a client that may reach 127.0.0.1 alone."""

    async def main() -> tuple[_T, Server]:
        server = Server()
        listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
        server.port = listener.sockets[0].getsockname()[1]
        http = Http(
            user_agent="ActivityStreamAggregator/1 (+https://example.org/contact)",
            private_networks=LOOPBACK,
            rate_limiter=turns or Turns(),
            clock=lambda: NOW,
            limits=limits,
        )
        async with listener, http:
            return await script(http, server), server

    return asyncio.run(main())


def failing(
    answers: dict[str, list[bytes]],
    expected: type[SourceError],
    *,
    gap: float = 0.0,
    limits: Limits = PATIENT,
    turns: Turns | None = None,
) -> SourceError:
    async def script(http: Http, server: Server) -> SourceError:
        server.answers, server.gap = answers, gap
        with pytest.raises(expected) as caught:
            await http.get(f"{server.base}/")
        return caught.value

    return with_server(script, limits=limits, turns=turns)[0]
