"""Fetch hostile responses by the thousand: `python -m tests.faults.storm 5000` prints the outcomes.

Each is a proper answer of a feed server that was broken in one to four ways: bits flipped, cut, repeated, mislabelled,
slowed down, reset. It must end as a response or as a domain error, within its time, and leave the memory as it was.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import socket
import struct
import sys
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import brotli

from aggregator.domain.errors import SourceError
from aggregator.fetching.limits import Limits
from tests.faults.wire import ALLOWED, client, request, serving
from tests.upstream import render, sample_feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from aggregator.fetching.client import Http

if sys.version_info < (3, 14):
    from backports import zstd
else:
    from compression import zstd

BOUNDS = Limits(connect=0.5, first_byte=0.5, total=1.0, wire=200_000, decoded=400_000, page=0.2)
AT_ONCE = 16
WARM = 100  # answers after which memory is first looked at

_FEED = render(sample_feed("storm", 20), "https://site.example")
_BOMB = bytes(8_000_000)
_PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: brotli.compress(data, quality=4),
    "zstd": zstd.compress,
    "identity": bytes,
}
_STATUSES = ("200 OK", "200 OK", "200 OK", "226 IM Used", "304 Not Modified", "403 Forbidden", "429 Too Many", "503 No")
_ODD_HEADERS = (
    b"Content-Length: 5",
    b"Content-Length: -1",
    b"Content-Length: 99999999999999999999",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Content-Encoding: br",
    b"Content-Encoding: gzip",
    b"Content-Encoding: zstd, gzip",
    b"Content-Type: text/html; charset=\xff",
    b"Retry-After: 1e999",
    b"Retry-After: Sun, 99 Mar 99999 99:99:99 GMT",
    b"Date: \xff\xfe",
    b'ETag: "\xff\xfe"',
    b"Location: http://[::1",
    b"Location: \xff\xfe//\x01",
    b"Connection: upgrade\r\nUpgrade: h2c",
    b"X: " + b"y" * 20_000,
    b"X: y\r\n" * 200 + b"X: y",
    b" folded: like this",
    b"X\x00Y: z",
    b"cf-mitigated: challenge",
)


@dataclass
class Toll:
    """The outcomes of a number of responses."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wall: float = 0.0
    slowest: float = 0.0  # seconds that one took
    grown: int = 0  # kilobytes from warm to the peak


@dataclass
class _Answer:
    """One response on its way to the wire."""

    head: bytes
    body: bytes
    gap: float = 0.0  # seconds before each piece
    ending: str = "close"

    def break_(self, rng: random.Random) -> None:
        ways = [self._flip, self._cut, self._repeat, self._junk, self._mislabel, self._slow, self._swap]
        rng.choices(ways, [3, 1, 1, 1, 2, 1, 2])[0](rng)

    def _flip(self, rng: random.Random) -> None:
        if rng.random() < 0.2:
            self.head = _flipped(self.head, rng)
        else:
            self.body = _flipped(self.body, rng)

    def _cut(self, rng: random.Random) -> None:
        whole = self.head + self.body
        whole = whole[: rng.randrange(len(whole) + 1)]
        self.head, self.body = whole[: len(self.head)], whole[len(self.head) :]

    def _repeat(self, rng: random.Random) -> None:
        start, times = rng.randrange(len(self.body) + 1), rng.choice([2, 9, 999])
        self.body = (self.body[:start] + self.body[start : start + rng.randrange(1, 999)] * times)[:2_000_000]

    def _junk(self, rng: random.Random) -> None:
        at = rng.randrange(len(self.head) + 1)
        self.head = self.head[:at] + rng.randbytes(rng.choice([1, 4, 99])) + self.head[at:]

    def _mislabel(self, rng: random.Random) -> None:
        line, _, rest = self.head.partition(b"\r\n")
        self.head = b"\r\n".join([line, rng.choice(_ODD_HEADERS), rest])

    def _slow(self, rng: random.Random) -> None:
        self.gap = rng.choice([0.01, 0.1, 0.6])
        self.ending = rng.choice(["close", "reset", "stay"])

    def _swap(self, rng: random.Random) -> None:
        packed = _PACK[rng.choice(list(_PACK))]
        self.body = packed(rng.choice([_BOMB, _FEED, b""])) if rng.random() < 0.9 else _BOMB


def _flipped(data: bytes, rng: random.Random) -> bytes:
    flipped = bytearray(data)
    for _ in range(rng.choice([1, 3, 30]) if data else 0):
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def _made(number: int) -> _Answer:
    """Return the response of a number; always the same for a number."""
    rng = random.Random(number)
    coding = rng.choice(list(_PACK))
    status = rng.choice([*_STATUSES, "302 Found", "308 Permanent Redirect"])
    body = b"" if status.startswith("304") else _PACK[coding](_FEED)
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/rss+xml", f"Content-Encoding: {coding}", 'ETag: "x"']
    if status[:3] in {"302", "308"}:
        lines.append(f"Location: {rng.choice(['/1', '/2', '//169.254.169.254/', 'file:///x', '?x', ''])}")
    if rng.random() < 0.3:
        lines.append("Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in _pieces(body, 700)) + b"0\r\n\r\n"
    elif rng.random() < 0.5:
        lines.append(f"Content-Length: {len(body)}")
    answer = _Answer("\r\n".join([*lines, "", ""]).encode(), body)
    for _ in range(rng.choice([1, 1, 1, 2, 2, 4])):
        answer.break_(rng)
    return answer


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


async def _play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    path = (await request(reader)).split(" ")[1]
    answer = _made(int("".join(filter(str.isdigit, path)) or 0))
    for piece in _pieces(answer.head + answer.body, 1000) if answer.gap else [answer.head + answer.body]:
        await asyncio.sleep(answer.gap)
        writer.write(piece)
        await writer.drain()
    if answer.ending == "stay":
        await asyncio.sleep(60)
    if answer.ending == "reset":
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


async def _fetch(http: Http, url: str, toll: Toll) -> None:
    began = time.monotonic()
    try:
        # Half of them as a source asks that has been read before.
        known = '"x"' if url.endswith(tuple("02468")) else None
        response = await http.get(url, etag=known)
        assert len(response.body) <= BOUNDS.decoded
        toll.outcomes["response"] += 1
    except SourceError as error:
        toll.outcomes[type(error).__name__] += 1
    toll.slowest = max(toll.slowest, time.monotonic() - began)


async def _storm(first: int, last: int, toll: Toll) -> None:
    numbers = iter(range(first, last))
    async with serving(_play) as port, client(limits=BOUNDS) as http:

        async def ask() -> None:
            for number in numbers:
                await _fetch(http, f"http://{ALLOWED}:{port}/{number}", toll)

        await asyncio.gather(*(ask() for _ in range(AT_ONCE)))


def memory(name: str) -> int:
    """Return a line of this process's status in kilobytes; 0 where the system has none."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


def storm(count: int) -> Toll:
    """Fetch that many hostile responses.

    Raises:
        Exception: one of them ended as neither a response nor a SourceError.
    """
    asyncio.run(_storm(0, WARM, Toll()))
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak counts from here
    before, began, toll = memory("VmRSS"), time.monotonic(), Toll()
    asyncio.run(_storm(0, count, toll))
    toll.wall = time.monotonic() - began
    toll.grown = memory("VmHWM") - before
    return toll


if __name__ == "__main__":
    toll = storm(int(sys.argv[1]))
    for outcome, times in toll.outcomes.most_common():
        print(f"{times:6} {outcome}")
    print(f"{toll.wall:.0f} s in all, the slowest {toll.slowest:.2f} s; memory grew by {toll.grown / 1024:.0f} MB")
