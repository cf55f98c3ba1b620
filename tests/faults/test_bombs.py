"""Check that a megabyte that decompresses to a gigabyte is stopped at its limit, in constant memory."""

from __future__ import annotations

import asyncio
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import brotli
import pytest

from aggregator.domain.errors import UnpackedTooLargeError
from aggregator.fetching.limits import Limits
from tests.faults.wire import ALLOWED, answer, client, saying, serving

if TYPE_CHECKING:
    from collections.abc import Callable

if sys.version_info < (3, 14):
    from backports import zstd
else:
    from compression import zstd

MEBIBYTE = bytes(1024 * 1024)
SIZE = 1024  # mebibytes that a bomb unpacks to
MOST = 48 * 1024  # kilobytes that the process may grow by: what we take is 16 MB unpacked, beside the bomb's one


def zlib_bomb(wbits: int) -> bytes:
    # What a full flush ends can be repeated, so that a gigabyte is packed in no time; the checksum is never come to.
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    head = packer.flush(zlib.Z_FULL_FLUSH)
    return head + (packer.compress(MEBIBYTE) + packer.flush(zlib.Z_FULL_FLUSH)) * SIZE


def brotli_bomb() -> bytes:
    packer = brotli.Compressor(quality=1)
    return b"".join([*(packer.process(MEBIBYTE) for _ in range(SIZE)), packer.finish()])


def zstd_bomb() -> bytes:
    packer = zstd.ZstdCompressor()
    return b"".join([*(packer.compress(MEBIBYTE) for _ in range(SIZE)), packer.flush()])


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: zlib_bomb(zlib.MAX_WBITS | 16),
    "deflate": lambda: zlib_bomb(zlib.MAX_WBITS),
    "br": brotli_bomb,
    "zstd": zstd_bomb,
}


def memory(name: str) -> int:
    """Return a line of this process's status, in kilobytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


async def _fetch(bomb: bytes, encoding: str, limits: Limits) -> None:
    play = saying([answer(bomb, Content_Encoding=encoding)])
    async with serving(play) as port, client(limits=limits) as http:
        await http.get(f"http://{ALLOWED}:{port}/")


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks can be counted anew only on Linux")
@pytest.mark.parametrize("encoding", BOMBS)
def test_a_bomb_is_stopped_at_its_bound_in_flat_memory(encoding: str) -> None:
    bomb = BOMBS[encoding]()
    assert len(bomb) < Limits().wire
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak counts from here
    with pytest.raises(UnpackedTooLargeError, match="decompresses to more than 16 MB"):
        asyncio.run(_fetch(bomb, encoding, Limits()))
    assert memory("VmHWM") - before < MOST
