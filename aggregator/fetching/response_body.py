"""Read the body of a response within the limits for its compressed and decompressed size."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohttp

from aggregator.domain.errors import WireTooLargeError
from aggregator.fetching.challenge_pages import READ
from aggregator.fetching.content_encoding import Unpacker, beginning
from aggregator.fetching.errors import too_large

if TYPE_CHECKING:
    from aggregator.fetching.limits import Limits
    from aggregator.fetching.response import TransferStats


async def read_body(url: str, answer: aiohttp.ClientResponse, tally: TransferStats, limits: Limits) -> bytes:
    """Read and decompress a body.

    Raises:
        WireTooLargeError, UnpackedTooLargeError: it is larger than the limits.
        UnreadableError: it is not compressed as its headers say.
    """
    if (answer.content_length or 0) > limits.wire:
        raise too_large(WireTooLargeError, url, "announces", limits.wire)
    unpacker = Unpacker(url, _coding(answer), limits.decoded)
    received = 0
    async for chunk in answer.content.iter_any():
        received += len(chunk)
        tally.wire_bytes += len(chunk)
        if received > limits.wire:
            raise too_large(WireTooLargeError, url, "sends", limits.wire)
        unpacker.feed(chunk)
    return unpacker.whole()


async def read_beginning(url: str, answer: aiohttp.ClientResponse, tally: TransferStats, limits: Limits) -> bytes:
    """Read the beginning of an error page, as far as it can be read, to recognize bot challenges."""
    packed = bytearray()
    # A page that never ends must not hide the status and Retry-After of the headers.
    with suppress(aiohttp.ClientError, TimeoutError):
        async with asyncio.timeout(limits.page):
            async for chunk in answer.content.iter_any():
                tally.wire_bytes += len(chunk)
                packed += chunk
                if len(packed) >= READ:
                    break
    return beginning(url, _coding(answer), bytes(packed), READ)


def _coding(answer: aiohttp.ClientResponse) -> str:
    """Return all Content-Encoding headers, joined."""
    return ", ".join(answer.headers.getall("Content-Encoding", ()))
